"""The gateway's HTTP API from the other end, for the runner and the command line."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

import httpx

from simulator.errors import ActRefused, HarnessError, PeerUnreachable

_TIME_OUT = httpx.Timeout(10.0)


class GatewayApi:
    """Asks one gateway, at a URL such as `http://127.0.0.1:8104`."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        # To read the authorities of this machine takes longer than most answers do, and only https needs them.
        self._verify: bool | ssl.SSLContext = True
        if not self._url.startswith("https:"):
            self._verify = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    def status(self) -> dict[str, Any]:
        """Return `GET /studies`. Raises `PeerUnreachable`, or `HarnessError` for an answer that is none."""
        try:
            answer = httpx.get(f"{self._url}/studies", timeout=_TIME_OUT, trust_env=False, verify=self._verify)
            answer.raise_for_status()
            document = answer.json()
        except httpx.TransportError as error:
            raise PeerUnreachable(f"no gateway answers at {self._url} ({error})") from error
        except (httpx.HTTPStatusError, httpx.InvalidURL, ValueError) as error:
            raise HarnessError(f"{self._url} is no gateway of this simulator: {error}") from error
        if not isinstance(document, dict) or "studies" not in document:
            raise HarnessError(f"{self._url} is no gateway of this simulator: its answer has no studies")
        return document

    def forward(self, asked: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        """Send `POST /forward` with this body; return the HTTP status, and the answer's body. Raises as `status`."""
        answer, document = self._send("POST", "forward", json=dict(asked))
        if not isinstance(document, dict):
            raise HarnessError(f"{self._url} is no gateway of this simulator: its answer is no object")
        return answer.status_code, document

    def echo(self, destination: str) -> tuple[int, dict[str, Any]]:
        """Send `POST /echo`; return the HTTP status and the answer's body, however long the destination takes.

        Raises as `status`.
        """
        patient = httpx.Timeout(10.0, read=None)
        answer, document = self._send("POST", "echo", patient, json={"destination": destination})
        if not isinstance(document, dict):
            raise HarnessError(f"{self._url} is no gateway of this simulator: its answer is no object")
        return answer.status_code, document

    def candidates(self, study_instance_uid: str, order: str = "") -> dict[str, Any]:
        """Return `GET /studies/{uid}/candidates`: what differs between a study and the orders it may belong to.

        Raises `ActRefused` when there is no such study or order, and as `status` does.
        """
        path = f"studies/{quote(study_instance_uid, safe='')}/candidates"
        return self._exchange("GET", path, params={"order": order} if order else {})

    def reconcile(self, study_instance_uid: str, ruling: dict[str, Any]) -> None:
        """Do `POST /studies/{uid}/reconcile`. Raises `ActRefused` with the reason, and as `status` does."""
        self._exchange("POST", f"studies/{quote(study_instance_uid, safe='')}/reconcile", json=ruling)

    def audit(self) -> dict[str, Any]:
        """Return `GET /audit`: the audit log, and whether it is whole. Raises as `status` does."""
        return self._exchange("GET", "audit")

    def _exchange(self, method: str, path: str, **content: Any) -> dict[str, Any]:
        answer, document = self._send(method, path, **content)
        if answer.is_error and isinstance(document, dict) and "code" in document:
            raise ActRefused(str(document.get("error", "")), str(document["code"]))
        if answer.is_error or not isinstance(document, dict):
            raise HarnessError(f"{self._url} is no gateway of this simulator: /{path} is answered {answer.status_code}")
        return document

    def _send(
        self, method: str, path: str, time_out: httpx.Timeout = _TIME_OUT, **content: Any
    ) -> tuple[httpx.Response, Any]:
        try:
            url = f"{self._url}/{path}"
            answer = httpx.request(method, url, timeout=time_out, trust_env=False, verify=self._verify, **content)
            document = answer.json()
        except httpx.TransportError as error:
            raise PeerUnreachable(f"no gateway answers at {self._url} ({error})") from error
        except (httpx.InvalidURL, ValueError) as error:
            raise HarnessError(f"{self._url} is no gateway of this simulator: {error}") from error
        return answer, document

    def problems(self) -> tuple[str, ...]:
        """Return what the gateway says is wrong with it now. Raises as `status` does."""
        _, document = self._send("GET", "health")
        try:
            return tuple(f"{each['part']}: {each['problem']}" for each in document["problems"])
        except (KeyError, TypeError) as error:
            raise HarnessError(f"{self._url} is no gateway of this simulator: {error}") from error

    def events(self, after: int = 0, answered: Callable[[], object] = bool) -> Iterator[dict[str, Any]]:
        """Yield every event behind number `after`, each with its `sequence`, until the gateway ends.

        answered: called once the gateway has taken the request; from then on every event is told, to the last.
        Raises `PeerUnreachable`, or `HarnessError` for an answer that is none.
        """
        quiet = httpx.Timeout(10.0, read=None)
        try:
            url = f"{self._url}/events/stream?after={after}"
            with httpx.stream("GET", url, timeout=quiet, trust_env=False, verify=self._verify) as answer:
                answer.raise_for_status()
                answered()
                for line in answer.iter_lines():
                    yield self._event(line)
        except httpx.InvalidURL as error:
            raise HarnessError(f"{self._url} is no gateway of this simulator: {error}") from error
        except httpx.HTTPError as error:
            raise PeerUnreachable(f"the gateway at {self._url} stopped telling its events ({error})") from error

    def _event(self, line: str) -> dict[str, Any]:
        try:
            record: dict[str, Any] = json.loads(line)
            record["sequence"] = int(record["sequence"])
        except (ValueError, KeyError, TypeError) as error:
            raise HarnessError(f"{self._url} is no gateway of this simulator: it told {line[:40]!r}") from error
        return record
