"""Generate the reference: dataset.yaml from its models, ttm from its commands, REST from its routes, the API from its modules."""

import enum
import importlib
import re
import typing
from inspect import cleandoc
from pathlib import Path

import typer
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

import ttm_notebooks

NONE = type(None)


def cell(text: str) -> str:
    """A text inside a Markdown table."""
    return " ".join(str(text).split()).replace("|", "\\|") or "-"


def table(headers: list[str], rows: list[list[str]]) -> list[str]:
    """A Markdown table."""
    return [f"| {' | '.join(headers)} |", f"|{'---|' * len(headers)}",
            *(f"| {' | '.join(map(cell, row))} |" for row in rows), ""]


def code(text: object) -> str:
    """`text` as code."""
    return f"`{text}`"


def models_in(annotation: object) -> list[type[BaseModel]]:
    """The models of dataset.yaml inside a type, in the order they are written."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in typing.get_args(annotation) for model in models_in(part)]


def type_text(annotation: object) -> str:
    """A type in the words of a reader of YAML."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return type_text(arguments[0])
    if origin is typing.Literal:
        return ", ".join(code(value) for value in arguments)
    if annotation is NONE:
        return ""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"[{annotation.__name__}](#{anchor(annotation)})"
    if origin is dict:
        return f"mapping of {type_text(arguments[0])} to {type_text(arguments[1])}"
    if origin in (tuple, list):
        return f"list of {type_text(arguments[0])}" if arguments[1:] in ((...,), (Ellipsis,), ()) else "pair of numbers"
    if arguments:
        return " or ".join(filter(None, dict.fromkeys(type_text(part) for part in arguments)))
    names = {"str": "text", "int": "whole number", "float": "number", "bool": "true or false", "date": "day, YYYY-MM-DD"}
    return names.get(getattr(annotation, "__name__", ""), str(annotation))


def anchor(model: type) -> str:
    """The anchor of a model's section."""
    return f"key-{model.__name__.lower()}"


def default_text(field: object) -> str:
    """The default of a key as it is written in YAML; `required` without one."""
    if field.is_required():
        return "required"
    value = field.default if field.default is not PydanticUndefined else field.default_factory()
    if value is None or value == () or value == {} or value == "" or isinstance(value, BaseModel):
        return "-"
    if isinstance(value, (tuple, list)):
        return code("[" + ", ".join(map(str, value)) + "]") if len(value) > 1 else code(value[0])
    if isinstance(value, dict):
        return code("{" + ", ".join(f"{key}: {item}" for key, item in value.items()) + "}")
    return code(str(value).lower() if isinstance(value, bool) else value)


def dataset_yaml() -> list[str]:
    """The reference of dataset.yaml, one section for each of its models."""
    description = importlib.import_module("ttm_notebooks.dataset.description")
    order: list[type[BaseModel]] = []
    queue = [description.Description]
    while queue:
        model = queue.pop(0)
        if model not in order:
            order.append(model)
            queue += [item for field in model.model_fields.values() for item in models_in(field.annotation)]
    lines = ["# dataset.yaml", "",
             "Every key of `dataset.yaml`, generated from the models that validate the file. `ttm init` writes the file for "
             "you; an unknown key is an error that names the line. Where a key takes a list, a single item may stand alone.",
             ""]
    for model in order:
        title = "The file" if model is description.Description else model.__name__
        lines += [f"({anchor(model)})=", f"## {title}", "", *cleandoc(model.__doc__ or "").splitlines(), ""]
        rows = [[code(field.alias or name), type_text(field.annotation), default_text(field), field.description or ""]
                for name, field in model.model_fields.items()]
        lines += table(["key", "value", "default", "meaning"], rows) if rows else []
    return lines


def option_rows(command: object) -> list[list[str]]:
    """Arguments and options of a command, as rows of a table."""
    rows = []
    for parameter in command.params:
        if getattr(parameter, "hidden", False) or parameter.name == "help":
            continue
        is_option = any(name.startswith("-") for name in parameter.opts)
        names = ", ".join(code(name) for name in [*parameter.opts, *parameter.secondary_opts]) if is_option \
            else code(parameter.metavar or parameter.name.upper())
        annotation = parameter.type_descriptor.annotation
        flag = getattr(parameter, "is_flag", False)
        if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
            values = ", ".join(code(choice.value) for choice in annotation)
        else:
            kinds = {"Path": "path", "int": "whole number", "float": "number", "str": "text"}
            kind = kinds.get(getattr(annotation, "__name__", ""), "")
            values = "" if flag else code(parameter.metavar) if is_option and parameter.metavar else kind
        default = parameter.default
        default = default.value if isinstance(default, enum.Enum) else default
        shown = "required" if parameter.required else "-" if default in (None, False, (), []) else code(default)
        rows.append([names, values, shown, parameter.help or ""])
    return rows


def command_section(name: str, command: object, depth: int) -> list[str]:
    """The reference of a command and of the commands below it."""
    help_text = cleandoc(command.help or "").split("\f")[0]
    lines = [f"{'#' * depth} {name}", ""]
    for block in help_text.split("\n\n"):
        lines += (["```", *block.splitlines(), "```", ""] if re.match(r"\s*(ttm |Example)", block) else [*block.splitlines(), ""])
    lines += table(["argument or option", "value", "default", "meaning"], option_rows(command)) if option_rows(command) else []
    for child_name, child in getattr(command, "commands", {}).items():
        if not child.hidden:
            lines += command_section(f"{name} {child_name}", child, min(depth + 1, 4))
    return lines


def ttm_commands() -> list[str]:
    """The reference of the command line, with exit codes."""
    main = importlib.import_module("ttm_notebooks.cli.main")
    root = typer.main.get_command(main.app)
    lines = ["# The command `ttm`", "", "Generated from the commands themselves; `ttm COMMAND --help` prints the same.", ""]
    for name, command in root.commands.items():
        if not command.hidden:
            lines += command_section(f"ttm {name}", command, 2)
    rows = [[code(number), meaning] for number, meaning in main.EXIT_CODES.items()]
    return [*lines, "## Exit codes", "", *table(["code", "meaning"], rows)]


def schema_text(schema: dict) -> str:
    """A JSON schema in few words."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        return f"[{name}](#schema-{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(filter(None, (schema_text(part) for part in schema["anyOf"])))
    if schema.get("type") == "array":
        return f"list of {schema_text(schema.get('items', {}))}"
    if "enum" in schema:
        return ", ".join(code(value) for value in schema["enum"])
    if "const" in schema:
        return code(schema["const"])
    limits = [f"{word} {schema[key]}" for key, word in (("minimum", ">="), ("maximum", "<="), ("exclusiveMinimum", ">"),
                                                         ("exclusiveMaximum", "<")) if key in schema]
    return " ".join([schema.get("format") or schema.get("type", "any"), *limits])


def rest_routes() -> list[str]:
    """The reference of the service, from the OpenAPI document that it serves."""
    api = importlib.import_module("ttm_notebooks.serve.api")
    schemas = importlib.import_module("ttm_notebooks.serve.schemas")
    document = schemas.openapi_document(api.OPERATIONS)
    lines = ["# REST API", "", "Generated from the OpenAPI 3.1 document that the service returns at `GET /openapi.json`. Every "
             "error is a problem detail (RFC 9457): `type`, `title`, `status`, `detail`, `remedy`, and `errors` that point to "
             "fields. A token goes into the header `Authorization: Bearer TOKEN`.", ""]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            lines += [f"## {method.upper()} {path}", "", f"{operation['summary']}. {operation.get('description', '')}".strip(), ""]
            lines += ["Needs a token." if operation.get("security") else "Needs no token.", ""]
            if parameters := operation.get("parameters"):
                lines += table(["parameter", "in", "value", "meaning"],
                               [[code(item["name"]), item["in"], schema_text(item["schema"]), item.get("description", "")]
                                for item in parameters])
            body = operation.get("requestBody", {}).get("content", {})
            rows = [["request", code(media), schema_text(content.get("schema", {}))] for media, content in body.items()]
            for status, response in operation["responses"].items():
                contents = ", ".join(f"{code(media)} {schema_text(content.get('schema', {}))}"
                                     for media, content in response.get("content", {}).items())
                rows.append([code(status), response["description"], contents])
            lines += table(["", "", ""], rows)
    lines += ["## Schemas", ""]
    for name, schema in document["components"]["schemas"].items():
        lines += [f"(schema-{name.lower()})=", f"### {name}", "", *cleandoc(schema.get("description", "")).splitlines(), ""]
        required = set(schema.get("required", ()))
        rows = [[code(key), schema_text(part), "yes" if key in required else "no", part.get("description", "")]
                for key, part in schema.get("properties", {}).items()]
        lines += table(["field", "value", "required", "meaning"], rows) if rows else []
    return lines


def public_modules() -> list[str]:
    """Names of the modules with public names, in the order of imports."""
    modidx = importlib.import_module("ttm_notebooks._modidx").d["syms"]
    names = [name for name in modidx if not name.startswith(("ttm_notebooks.tests", "ttm_notebooks.testing"))]
    root = Path(ttm_notebooks.__file__).parents[1] / "nbs"
    order = {path.name[3:]: path.name for path in root.iterdir() if path.is_dir() and path.name[:2].isdigit()}
    return sorted(names, key=lambda name: (order.get(name.split(".")[1], "99"), name))


def api_pages(folder: Path) -> list[str]:
    """The index of the API: the public names first, then every module by folder."""
    facade = importlib.import_module("ttm_notebooks.facade").PUBLIC_NAMES
    lines = ["# Python API", "", "The public names come from the package itself: "
             "`from ttm_notebooks import Panel, load_model, forecast`. Each is imported when it is first used.", ""]
    rows = []
    for name in sorted(facade, key=str.lower):
        item = getattr(importlib.import_module(f"ttm_notebooks.{facade[name]}"), name)
        rows.append([f"{{py:obj}}`{name} <{item.__module__}.{item.__qualname__}>`", cleandoc(item.__doc__ or "").split("\n\n")[0]])
    lines += table(["name", "what it does"], rows)
    by_folder: dict[str, list[str]] = {}
    for module in public_modules():
        parts = module.split(".")
        by_folder.setdefault(parts[1] if len(parts) > 2 else "package", []).append(module)
    for name, modules in by_folder.items():
        lines += [f"## {name}", "", "```{eval-rst}", ".. autosummary::", "   :toctree: api", "   :template: autosummary/module.rst",
                  "", *(f"   {module}" for module in modules), "```", ""]
    return lines


def write_reference(folder: Path) -> None:
    """Write the generated pages of the reference."""
    folder.mkdir(parents=True, exist_ok=True)
    pages = {"dataset-yaml": dataset_yaml(), "ttm": ttm_commands(), "rest": rest_routes(), "api": api_pages(folder)}
    for name, lines in pages.items():
        (folder / f"{name}.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
