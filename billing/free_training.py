"""The one free AI Training: offered at the first payment for a plan that has it, once per person ever.

A person who comes back with a new account is known by salted hashes of the e-mail address and the card. The
hashes are kept for ever and say nothing else.
"""

import uuid
from collections.abc import Collection

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac

from accounts.models import User
from billing import ledger
from billing.exceptions import FreeTrainingGone
from billing.models import CreditAccount, FreeTraining, Payment, PersonMark
from billing.selectors import free_training_of

State = FreeTraining.State


def offer_free_training(account: CreditAccount, payment: Payment, *, cards: Collection[str]) -> None:
    """Offer the free training with a first payment for a plan that has it; the caller has locked the account.

    Effect: one row per account ever, which says that the person had theirs before where an address or a card
    is known from another account; and the marks by which they are known from now on.
    """
    marks = _marks(account, cards)
    if payment.offer.plan is not None and payment.offer.plan.free_training:
        is_known = PersonMark.objects.filter(mark__in=marks).exclude(account=account).exists()
        FreeTraining.objects.get_or_create(
            account=account,
            defaults={"state": State.REFUSED if is_known else State.OFFERED, "payment": payment},
        )
    if FreeTraining.objects.filter(account=account).exists():
        PersonMark.objects.bulk_create(
            [PersonMark(mark=mark, account=account) for mark in marks], ignore_conflicts=True
        )


@transaction.atomic
def use_free_training(*, user: User, work_ref: uuid.UUID) -> None:
    """Use the user's free training for a piece of work; for the same work again nothing happens.

    Call it in the transaction that submits the job, and submit that without a quote. Effect: the row is
    marked with the work. Transaction: its own or the caller's. Errors: FreeTrainingGone when there is none to
    use (any more): of two at once one gets it; AccountBlocked as for credits.
    """
    training = FreeTraining.objects.filter(account__user=user).first()
    if training is None:
        raise FreeTrainingGone
    account = ledger.lock_account(training.account_id)
    training.refresh_from_db()
    if training.work_ref == work_ref:
        return
    ledger.refuse_blocked(account)
    if not free_training_of(user):
        raise FreeTrainingGone
    FreeTraining.objects.filter(account=account).update(
        state=State.USED, work_ref=work_ref, used_at=timezone.now()
    )


@transaction.atomic
def return_free_training(*, work_ref: uuid.UUID) -> bool:
    """Give the free training back because we failed, or it was stopped before anything was delivered.

    Return whether that happened now. Call it in the transaction that ends the job. Effect: it can be used
    again. Transaction: its own or the caller's.
    """
    training = FreeTraining.objects.filter(work_ref=work_ref).first()
    if training is None:
        return False
    ledger.lock_account(training.account_id)
    given = FreeTraining.objects.filter(work_ref=work_ref, state=State.USED)
    return bool(given.update(state=State.OFFERED, work_ref=None, used_at=None))


def _marks(account: CreditAccount, cards: Collection[str]) -> list[str]:
    address = [f"email:{_plain(account.user.email)}"] if account.user else []
    return [_mark(value) for value in [*address, *(f"card:{card}" for card in cards)]]


def _plain(email: str) -> str:
    """Return an address without its case and what follows a plus sign: both lead to one mailbox."""
    name, _at, host = email.lower().rpartition("@")
    return f"{name.partition('+')[0]}@{host}"


def _mark(value: str) -> str:
    digest = salted_hmac("billing.person", value, secret=settings.PERSON_MARK_SALT, algorithm="sha256")
    return str(digest.hexdigest())
