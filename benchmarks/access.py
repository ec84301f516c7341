"""Cost of a token check: python benchmarks/access.py.

Measures: verification by algorithm with cached keys, beside joserfc's bare signature check in the same run and
PyJWT's full check where it is installed; refusals that need no signature; the selection of the visible rows among
100,000; and a full TLS 1.3 handshake with the development certificate. Writes access.csv.
"""
import http.client
import socket
import ssl
import tempfile
import threading
import time

import numpy as np
import pandas as pd
from joserfc import jws, jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey
from machine import describe_machine, median_seconds, write_results

from ttm_notebooks.serve.auth.roles import AccessDenied, visible_rows
from ttm_notebooks.serve.auth.access import AccessSettings, TokenVerifier
from ttm_notebooks.serve.auth.jwks import IssuerKeys

KEYS = {
    "RS256": lambda: RSAKey.generate_key(2048),
    "PS256": lambda: RSAKey.generate_key(2048),
    "ES256": lambda: ECKey.generate_key("P-256"),
    "Ed25519": lambda: OKPKey.generate_key("Ed25519"),
}
ISSUER, TIMES = "https://login.example.com", 500


def signed_token(algorithm: str) -> tuple[TokenVerifier, str, object]:
    """A verifier with its keys in memory, a valid token and the key that signed it."""
    key, now = KEYS[algorithm](), int(time.time())
    published = key.as_dict(private=False) | {"kid": "k"}
    access = AccessSettings(issuer=ISSUER, audience="ttm", algorithms=tuple(KEYS))
    documents = {
        f"{ISSUER}/.well-known/openid-configuration": {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys"},
        f"{ISSUER}/keys": {"keys": [published]},
    }
    verifier = TokenVerifier(access, IssuerKeys(ISSUER, documents.__getitem__))
    claims = {
        "iss": ISSUER,
        "aud": "ttm",
        "sub": "ana",
        "iat": now,
        "exp": now + 3600,
        "amr": ["pwd", "mfa"],
        "roles": ["business_user"],
        "regions": ["SP", "MG"],
        "jti": "t",
    }
    return (
        verifier,
        jwt.encode({"alg": algorithm, "kid": "k", "typ": "at+jwt"}, claims, key, algorithms=[algorithm]),
        key,
    )


def microseconds(call, *arguments) -> float:
    """Median microseconds of one call."""
    return 1e6 * median_seconds(lambda: [call(*arguments) for _ in range(TIMES)]) / TIMES


def pyjwt_microseconds(token: str, key: object, algorithm: str) -> float:
    """Microseconds of PyJWT's full check with a parsed key; NaN where it is not installed."""
    try:
        import jwt as pyjwt
    except ImportError:
        return float("nan")
    if algorithm == "Ed25519":
        return float("nan")
    return microseconds(
        lambda: pyjwt.decode(token, key.public_key, algorithms=[algorithm], audience="ttm", issuer=ISSUER)
    )


def verifications() -> list[dict]:
    """One row per algorithm and one per kind of refusal."""
    rows = []
    for algorithm in KEYS:
        verifier, token, key = signed_token(algorithm)
        bare = microseconds(
            lambda token=token, key=key, algorithm=algorithm: jws.deserialize_compact(token, key, [algorithm])
        )
        rows.append(
            {
                "what": f"verify {algorithm}",
                "microseconds": microseconds(verifier.verify, token),
                "joserfc_signature_only": bare,
                "pyjwt": pyjwt_microseconds(token, key, algorithm),
            }
        )

    def refused(text: str) -> None:
        try:
            verifier.verify(text)
        except AccessDenied:
            return
        raise AssertionError("a bad token was accepted")

    unknown_key = "eyJhbGciOiJSUzI1NiIsImtpZCI6IngifQ." + token.partition(".")[2]
    for what, text in (("refuse alg none", "eyJhbGciOiJub25lIn0.e30."), ("refuse an unknown key", unknown_key)):
        rows.append({"what": what, "microseconds": microseconds(refused, text)})
    return rows


def visible_rows_row(count: int = 100_000) -> dict:
    """Time to select the rows that a principal of two regions may see."""
    verifier, token, _ = signed_token("ES256")
    frame = pd.DataFrame(
        {"region": np.random.default_rng(0).choice(["SP", "GO", "MG", "EX", "RS", "PR"], count), "mean": 1.0}
    )
    return {
        "what": f"visible rows of {count:,}",
        "microseconds": 1e6 * median_seconds(lambda: visible_rows(frame, verifier.verify(token))),
    }


def handshake() -> dict:
    """Time of a connection, a request and its answer, with TLS 1.3 and without TLS."""
    import uvicorn

    from ttm_notebooks.serve.auth.tls import TlsFactory, development_certificate

    async def hello(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    def timed(connect, **options) -> float:
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            server = uvicorn.Server(
                uvicorn.Config(hello, interface="asgi3", log_level="critical", lifespan="off", **options)
            )
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
            thread.start()
            while not server.started:
                time.sleep(0.01)

            def ask() -> None:
                connection = connect(listening.getsockname()[1])
                connection.request("GET", "/")
                connection.getresponse().read()
                connection.close()

            seconds = median_seconds(lambda: [ask() for _ in range(50)]) / 50
            server.should_exit = server.force_exit = True
            thread.join(10)
        return 1e6 * seconds

    with tempfile.TemporaryDirectory() as folder:
        files = development_certificate(folder)
        context = ssl.create_default_context(cafile=str(files.ca))
        plain = timed(lambda port: http.client.HTTPConnection("127.0.0.1", port))
        return {
            "what": "connection and request over TLS 1.3",
            "without": plain,
            "microseconds": timed(
                lambda port: http.client.HTTPSConnection("127.0.0.1", port, context=context),
                ssl_context_factory=TlsFactory(files),
            ),
        }


if __name__ == "__main__":
    rows = [row | describe_machine() for row in (*verifications(), visible_rows_row(), handshake())]
    write_results(
        "access",
        [{name: round(value, 1) if isinstance(value, float) else value for name, value in row.items()} for row in rows],
    )
