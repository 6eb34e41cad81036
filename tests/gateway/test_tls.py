"""The gateway as SCU over TLS: what it forwards, and the reports of storage commitment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from simulator.site import Site
from simulator.wire import certificates, tls
from simulator.wire.acceptor import Acceptor
from simulator.wire.association import Association, Context, Response, StoreRequest
from simulator.wire.commitment import PUSH_MODEL, TRANSFER_SYNTAXES, Notice, Reference, Request, ask
from tests.gateway.made import a_message, a_site, running
from tests.synthesis.made import CT, EXPLICIT, a_study, an_order
from tests.wire.sockets import HOST

STUDY = a_study(instances=2)
STORED = Response(0x0000)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    certificates.make(folder)
    return folder


class Remote:
    """An AE that asks its callers for a certificate, and notes what it got."""

    def __init__(self) -> None:
        self.stored: list[str] = []
        self.notices: list[Notice] = []

    def take(self, request: StoreRequest) -> Response:
        self.stored.append(request.sop_instance_uid)
        return STORED

    def hear(self, notice: Notice) -> Response:
        self.notices.append(notice)
        return STORED

    @contextmanager
    def listening(self, files: Path, ae_title: str, certificate: str = "gateway") -> Iterator[int]:
        credentials = certificates.credentials(files, certificate)
        assert credentials is not None
        context = tls.acceptor_context(credentials, require_certificate=True)
        contexts = [Context(CT.uid, (EXPLICIT,))]
        acceptor = Acceptor(ae_title, HOST, 0, contexts, self.take, on_report=self.hear, tls=context)
        try:
            yield acceptor.start()
        finally:
            acceptor.stop()


def secured(files: Path, **settings: Any) -> Site:
    own = {"certificate": str(files / "gateway.pem"), "key": str(files / "gateway.key"), "ca": str(files / "ca.pem")}
    return a_site(gateway={"tls": {"port": "off", **own}}, **settings)


@pytest.mark.parametrize(
    ("certificate", "name", "state"),
    [
        ("gateway", "", "forwarded"),
        ("other-name", "elsewhere.example", "forwarded"),
        ("other-name", "", "failed"),
        ("stranger", "", "failed"),
    ],
)
def test_a_study_is_forwarded_over_tls_to_whom_the_site_trusts(
    certificate: str, name: str, state: str, files: Path, tmp_path: Path
) -> None:
    remote = Remote()
    with remote.listening(files, "PACS", certificate) as port:
        destination = {"ae_title": "PACS", "host": HOST, "port": port, "tls": True, "certificate_name": name}
        site = secured(files, forwarding={"destinations": [destination], "attempts": 1})
        with running(tmp_path, site) as gateway:
            gateway.order(a_message(an_order()))
            gateway.store(*STUDY.instances)
            gateway.await_state(STUDY, state)
    sent = [instance.sop_instance_uid for instance in STUDY.instances] if state == "forwarded" else []
    assert remote.stored == sent


def test_a_commitment_report_goes_over_tls_to_a_caller_that_listens_so(files: Path, tmp_path: Path) -> None:
    requester = Remote()
    with requester.listening(files, "CT1") as port:
        caller = {"ae_title": "CT1", "host": HOST, "port": port, "tls": True}
        with running(tmp_path, secured(files, callers=[caller, {"ae_title": "MODALITY"}])) as gateway:
            gateway.store(*STUDY.instances)
            references = tuple(Reference(i.sop_class_uid, i.sop_instance_uid) for i in STUDY.instances)
            contexts = [Context(PUSH_MODEL, TRANSFER_SYNTAXES)]
            with Association.request("CT1", gateway.address, contexts) as association:
                assert ask(association, Request("1.2.3", references)) == STORED
            assert gateway.await_event("CommitmentDelivered", transaction_uid="1.2.3")["via"] == "new"
    [notice] = requester.notices
    assert notice.report is not None
    assert len(notice.report.committed) == len(STUDY.instances)
