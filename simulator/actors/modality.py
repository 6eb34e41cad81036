"""A modality: SCU of Verification, Storage and storage commitment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from simulator.actors.commitment import Reports
from simulator.actors.observation import Observe, observation
from simulator.errors import ContextNotAccepted, NotDicom, PeerError, PeerRefused
from simulator.events import (
    AssociationAccepted,
    AssociationFailed,
    AssociationRejected,
    CommitmentAnswered,
    CommitmentFailed,
    CommitmentRequested,
    EchoAnswered,
    LengthsMeasured,
    StoreAnswered,
    StoreFailed,
)
from simulator.wire import commitment, negotiated, transcoding
from simulator.wire.association import MAXIMUM_PDU, VERIFICATION, Address, Association, Attendant, Context, Outgoing
from simulator.wire.data_set import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN
from simulator.wire.dialogue import Dialogue
from simulator.wire.tls import Credentials

_VERIFICATION = Context(VERIFICATION, (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN))


@dataclass(frozen=True, slots=True)
class Modality:
    """Sends to one gateway under one AE title; tells `observe` of every answer, and raises for no peer's fault.

    tls: speaks DICOM TLS with these. source: the address to call from. association: what events call its associations.
    maximum_length: the length of P-DATA-TF, in bytes, that it announces (PS3.8 D.1; 0: any), to tell what the longest
    was. proposes: the contexts of `open` and `echo`; without them, the one for Verification. offers: the transfer
    syntaxes that each context of `send` offers; without them, one context for each syntax.
    """

    ae_title: str
    gateway: Address
    observe: Observe
    observer: str = "modality"
    tls: Credentials | None = None
    source: str = ""
    association: str = ""
    maximum_length: int | None = None
    proposes: tuple[Context, ...] = ()
    offers: tuple[str, ...] = ()

    def open(self) -> Association | None:
        """Open an association, and return it; None when the gateway gave none, which is observed."""
        return self._associate(self.proposes or [_VERIFICATION])

    def close(self, association: Association) -> None:
        """Release an association that `open` returned."""
        association.release()
        self._measured(association)

    def echo(self) -> bool:
        """Ask for Verification; return whether the answer was success (PS3.4 Annex A)."""
        association = self.open()
        if association is None:
            return False
        try:
            with association:
                response = association.echo()
        except PeerError as error:
            self._failed(error)
            return False
        finally:
            self._measured(association)
        self.observe(EchoAnswered(observer=self.observer, status=response.status_text))
        return response.status == 0x0000

    def store(
        self, instances: Iterable[Outgoing], pairs: Iterable[tuple[str, str]] = (), study_instance_uid: str = ""
    ) -> int:
        """Send the instances over one association; return how many the gateway says it stored.

        pairs: every SOP class with every transfer syntax that it comes in, where the caller knows them; without
        them, `instances` are gone through twice. study_instance_uid: under which they are noted, where the caller
        knows better than they say.
        """
        pairs = tuple(pairs) or dict.fromkeys((i.sop_class_uid, i.transfer_syntax_uid) for i in instances)
        return self.send(((study_instance_uid, instance) for instance in instances), pairs)

    def send(self, sent: Iterable[tuple[str, Outgoing]], pairs: Iterable[tuple[str, str]]) -> int:
        """Send instances, each with the Study Instance UID under which it is noted, as `store` does.

        One presentation context for each pair, so that an instance goes as it is encoded. With `offers` one for each
        SOP class, and an instance is brought to the transfer syntax that was accepted, where it can be without loss.
        """
        contexts = [Context(sop_class, (syntax,)) for sop_class, syntax in pairs]
        if self.offers:
            contexts = [Context(sop_class, self.offers) for sop_class in dict.fromkeys(each for each, _ in pairs)]
        association = self._associate(contexts)
        if association is None:
            for study_instance_uid, instance in sent:
                self._not_sent(instance, study_instance_uid, "no association")
            return 0
        try:
            with association:
                return sum(self._store(association, instance, study) for study, instance in sent)
        finally:
            self._measured(association)

    def commit(
        self,
        request: commitment.Request,
        study_instance_uid: str,
        reports: Reports,
        *,
        action_type: int = commitment.REQUEST_ACTION,
        sop_instance_uid: str = commitment.PUSH_MODEL_INSTANCE,
        takes_here: bool = True,
        patience: float = 0.0,
    ) -> bool:
        """Ask to hold instances safe (N-ACTION); return whether the request was received.

        reports: take what is reported on this association (a failure status there, without `takes_here`).
        patience: seconds to keep the association for the report; with 0 it is released at once.
        """
        transaction_uid = request.transaction_uid
        self.observe(
            CommitmentRequested(
                observer=self.observer,
                study_instance_uid=study_instance_uid,
                transaction_uid=transaction_uid,
                sop_instance_uids=tuple(each.sop_instance_uid for each in request.references),
            )
        )
        taken = reports.count(transaction_uid)
        on_report = reports.by("same", refuse=not takes_here)
        context = Context(commitment.PUSH_MODEL, commitment.TRANSFER_SYNTAXES)
        association = self._associate([context], lambda library: Dialogue(library, on_report=on_report))
        if association is None:
            self._not_asked(study_instance_uid, transaction_uid, "no association")
            return False
        try:
            with association:
                answer = commitment.ask(
                    association, request, action_type=action_type, sop_instance_uid=sop_instance_uid
                )
                self.observe(
                    CommitmentAnswered(
                        observer=self.observer,
                        study_instance_uid=study_instance_uid,
                        transaction_uid=transaction_uid,
                        status=answer.status_text,
                        error_comment=answer.error_comment,
                    )
                )
                if answer.status == 0 and patience:
                    reports.wait(transaction_uid, taken, lambda: association.stands, patience)
        except PeerError as error:
            self._not_asked(study_instance_uid, transaction_uid, str(error))
            return False
        return answer.status == 0

    def _not_asked(self, study_instance_uid: str, transaction_uid: str, problem: str) -> None:
        self.observe(
            CommitmentFailed(
                observer=self.observer,
                study_instance_uid=study_instance_uid,
                transaction_uid=transaction_uid,
                problem=problem,
            )
        )

    def _store(self, association: Association, instance: Outgoing, study_instance_uid: str) -> bool:
        try:
            instance = self._encoded(association, instance)
            response = association.store(instance)
        except (PeerError, NotDicom) as error:
            self._not_sent(instance, study_instance_uid, str(error))
            return False
        seen = observation(instance.data_set, instance.transfer_syntax_uid)
        self.observe(
            StoreAnswered(
                observer=self.observer,
                study_instance_uid=study_instance_uid or seen.study_instance_uid,
                sop_instance_uid=instance.sop_instance_uid,
                sop_class_uid=instance.sop_class_uid,
                transfer_syntax_uid=instance.transfer_syntax_uid,
                status=response.status_text,
                error_comment=response.error_comment,
                data_set_digest=seen.data_set_digest,
                pixel_data_digest=seen.pixel_data_digest,
                keys=seen.keys,
            )
        )
        return response.stored

    def _encoded(self, association: Association, instance: Outgoing) -> Outgoing:
        """Return the instance in the transfer syntax that was accepted. Raises `NotDicom` where it cannot be."""
        accepted = association.accepted_syntaxes(instance.sop_class_uid) if self.offers else ()
        if not accepted or instance.transfer_syntax_uid in accepted:
            return instance
        return transcoding.transcoded(instance, accepted[0])

    def _measured(self, association: Association) -> None:
        if self.maximum_length is not None:
            self.observe(
                LengthsMeasured(
                    observer=self.observer,
                    announced=self.maximum_length,
                    longest=association.longest,
                    association=self.association,
                )
            )

    def _associate(
        self, contexts: Sequence[Context], attend: Callable[[Any], Attendant] | None = None
    ) -> Association | None:
        """Return an association, or None when the gateway gave none, which is observed."""
        try:
            association = Association.request(
                self.ae_title,
                self.gateway,
                contexts,
                tls=self.tls,
                source=self.source,
                attend=attend,
                maximum_length=MAXIMUM_PDU if self.maximum_length is None else self.maximum_length,
            )
        except PeerRefused as error:
            self.observe(
                AssociationRejected(
                    observer=self.observer,
                    calling_ae_title=self.ae_title,
                    called_ae_title=self.gateway.ae_title,
                    peer=self._peer,
                    result=error.result,
                    source=error.source,
                    reason=error.reason,
                    meaning=str(error),
                    association=self.association,
                )
            )
            return None
        except ContextNotAccepted as error:
            self._accepted(error.answers, None)
            self._failed(error)
            return None
        except PeerError as error:
            self._failed(error)
            return None
        self._accepted(association.answers, association.maximum_length)
        return association

    def _accepted(self, answers: tuple[str, ...], maximum_length: int | None) -> None:
        self.observe(
            AssociationAccepted(
                observer=self.observer,
                calling_ae_title=self.ae_title,
                called_ae_title=self.gateway.ae_title,
                peer=self._peer,
                proposed=len(answers),
                accepted=sum(answer not in negotiated.RESULTS.values() for answer in answers),
                contexts=answers,
                maximum_length=maximum_length,
                association=self.association,
            )
        )

    @property
    def _peer(self) -> str:
        return f"{self.gateway.host}:{self.gateway.port}"

    def _failed(self, error: PeerError) -> None:
        self.observe(
            AssociationFailed(
                observer=self.observer,
                calling_ae_title=self.ae_title,
                called_ae_title=self.gateway.ae_title,
                peer=self._peer,
                problem=str(error),
                association=self.association,
            )
        )

    def _not_sent(self, instance: Outgoing, study_instance_uid: str, problem: str) -> None:
        seen = observation(instance.data_set, instance.transfer_syntax_uid)
        self.observe(
            StoreFailed(
                observer=self.observer,
                study_instance_uid=study_instance_uid or seen.study_instance_uid,
                sop_instance_uid=instance.sop_instance_uid,
                sop_class_uid=instance.sop_class_uid,
                problem=problem,
            )
        )
