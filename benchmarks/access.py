"""What a check of a token costs: python benchmarks/access.py.

Verifying by algorithm with the keys cached (beside joserfc's bare signature check in the same run, and PyJWT's whole check where it is
installed), refusals that need no signature, the rows of 100,000 that a principal sees, and a full TLS 1.3 handshake with the development
certificate. Writes access.csv.
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

from ttm_notebooks.serve.auth.roles import Refused, visible
from ttm_notebooks.serve.auth.access import Access, TokenVerifier
from ttm_notebooks.serve.auth.jwks import IssuerKeys

KEYS = {"RS256": lambda: RSAKey.generate_key(2048), "PS256": lambda: RSAKey.generate_key(2048), "ES256": lambda: ECKey.generate_key("P-256"),
        "Ed25519": lambda: OKPKey.generate_key("Ed25519")}
ISSUER, TIMES = "https://login.example.com", 500


def parts(algorithm: str) -> tuple[TokenVerifier, str, object]:
    """A verifier with its keys in memory, a genuine token and the key that signed it."""
    key, now = KEYS[algorithm](), int(time.time())
    published = key.as_dict(private=False) | {"kid": "k"}
    access = Access(issuer=ISSUER, audience="ttm", algorithms=tuple(KEYS))
    documents = {f"{ISSUER}/.well-known/openid-configuration": {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys"}, f"{ISSUER}/keys": {"keys": [published]}}
    verifier = TokenVerifier(access, IssuerKeys(ISSUER, documents.__getitem__))
    claims = {"iss": ISSUER, "aud": "ttm", "sub": "ana", "iat": now, "exp": now + 3600, "amr": ["pwd", "mfa"], "roles": ["business_user"],
              "regions": ["SP", "MG"], "jti": "t"}
    return verifier, jwt.encode({"alg": algorithm, "kid": "k", "typ": "at+jwt"}, claims, key, algorithms=[algorithm]), key


def each(call, *given) -> float:
    """Median microseconds of one call."""
    return 1e6 * median_seconds(lambda: [call(*given) for _ in range(TIMES)]) / TIMES


def peer(token: str, key: object, algorithm: str) -> float:
    """PyJWT's whole check with a parsed key, or NaN where it is not installed."""
    try:
        import jwt as pyjwt
    except ImportError:
        return float("nan")
    if algorithm == "Ed25519":
        return float("nan")
    return each(lambda: pyjwt.decode(token, key.public_key, algorithms=[algorithm], audience="ttm", issuer=ISSUER))


def verifications() -> list[dict]:
    """One row per algorithm, and one per kind of refusal."""
    rows = []
    for algorithm in KEYS:
        verifier, token, key = parts(algorithm)
        bare = each(lambda token=token, key=key, algorithm=algorithm: jws.deserialize_compact(token, key, [algorithm]))
        rows.append({"what": f"verify {algorithm}", "microseconds": each(verifier.verify, token), "joserfc_signature_only": bare,
                     "pyjwt": peer(token, key, algorithm)})

    def refused(text: str) -> None:
        try:
            verifier.verify(text)
        except Refused:
            return
        raise AssertionError("a bad token was accepted")

    stranger = "eyJhbGciOiJSUzI1NiIsImtpZCI6IngifQ." + token.partition(".")[2]
    for what, text in (("refuse alg none", "eyJhbGciOiJub25lIn0.e30."), ("refuse an unknown key", stranger)):
        rows.append({"what": what, "microseconds": each(refused, text)})
    return rows


def rows_of(count: int = 100_000) -> dict:
    """The rows that a principal of two regions sees."""
    verifier, token, _ = parts("ES256")
    frame = pd.DataFrame({"region": np.random.default_rng(0).choice(["SP", "GO", "MG", "EX", "RS", "PR"], count), "mean": 1.0})
    return {"what": f"visible rows of {count:,}", "microseconds": 1e6 * median_seconds(lambda: visible(frame, verifier.verify(token)))}


def handshake() -> dict:
    """A connection, a request and its answer over TLS 1.3, and over none."""
    import uvicorn

    from ttm_notebooks.serve.auth.tls import TlsFactory, development_certificate

    async def hello(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    def timed(make, **options) -> float:
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            server = uvicorn.Server(uvicorn.Config(hello, interface="asgi3", log_level="critical", lifespan="off", **options))
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
            thread.start()
            while not server.started:
                time.sleep(0.01)

            def once() -> None:
                line = make(listening.getsockname()[1])
                line.request("GET", "/")
                line.getresponse().read()
                line.close()

            seconds = median_seconds(lambda: [once() for _ in range(50)]) / 50
            server.should_exit = server.force_exit = True
            thread.join(10)
        return 1e6 * seconds

    with tempfile.TemporaryDirectory() as folder:
        files = development_certificate(folder)
        context = ssl.create_default_context(cafile=str(files.ca))
        plain = timed(lambda port: http.client.HTTPConnection("127.0.0.1", port))
        return {"what": "connection and request over TLS 1.3", "without": plain,
                "microseconds": timed(lambda port: http.client.HTTPSConnection("127.0.0.1", port, context=context), ssl_context_factory=TlsFactory(files))}


if __name__ == "__main__":
    found = [row | describe_machine() for row in (*verifications(), rows_of(), handshake())]
    write_results("access", [{name: round(value, 1) if isinstance(value, float) else value for name, value in row.items()} for row in found])
