"""What a job costs: its credits move with its state, in the same transaction.

A job is paid by a price agreed at the start. Credits are held before anything is done, charged for what was
delivered, and given back for what was not. Work that takes hours is paid in slices: each is charged when it
is delivered, and the next one is held before it begins. What a slice costs is the price of everything up to
its end less the price of everything before it, so that nothing is rounded twice.

Whoever calls holds the job's row lock. The account's lock is taken after it, always in this order.
"""

from django.db import transaction
from django.db.models import Max
from django.utils.module_loading import import_string

from billing.exceptions import AccountBlocked, CreditsShort
from billing.models import CreditHold
from billing.selectors import Quote, receipt_of
from billing.services import hold_credits, settle_hold
from jobs import registry
from jobs.models import Job


def hold_slice(job: Job, quote: Quote) -> None:
    """Set the quoted credits aside for what the job does next; nothing for a quote of 0.

    Effect: a hold with the next slice number, copied to the row; `job` is brought up to date.
    Raises CreditsShort, AccountBlocked.
    """
    if quote.credits == 0:
        return
    last = receipt_of(job.pk).aggregate(last=Max("slice"))["last"]
    hold_credits(
        user=job.owner,
        work_ref=job.pk,
        amount=quote.credits,
        label=job.label,
        slice_number=0 if last is None else last + 1,
        price=quote.price,
    )
    _write(job, price_held=job.price_held + quote.credits)


def quote_next_slice(job: Job) -> Quote:
    """Return what the next slice of a job costs, at the price that was agreed at its start.

    Where something of it is held already that is not taken off: ask for jobs that have ended.
    """
    if job.price is None:
        return Quote(credits=0, price=None)
    due = cost_of(job, _slice_end(job)) - job.price_charged
    return Quote(credits=max(0, due), price=job.price)


def cost_of(job: Job, units: int) -> int:
    """Return the credits for so many delivered units of a job, at the price agreed at its start."""
    path = registry.get(job.kind).cost
    if path is not None:
        return int(import_string(path)(job, units))
    return job.price.for_quantity(units) if job.price is not None else 0


def settle_job(job: Job) -> None:
    """Charge what was delivered and not charged yet, never more than is held, and give the rest back.

    Effect: settles the job's open hold, if there is one; `job` is brought up to date. Doing it twice changes
    nothing the second time.
    """
    if job.price_id is None:
        return
    hold = receipt_of(job.pk).filter(state=CreditHold.State.HELD).first()
    if hold is None:
        return
    # The handler's last writes may have delivered something since the row was read.
    job.refresh_from_db(fields=["delivered", "price_charged"])
    due = cost_of(job, job.delivered) - job.price_charged
    charge = min(max(due, 0), hold.amount)
    settle_hold(work_ref=job.pk, charge=charge, slice_number=hold.slice)
    _write(job, price_charged=job.price_charged + charge)


def pay_slice(job: Job, next_quote: Quote) -> CreditsShort | AccountBlocked | None:
    """Charge the slice that has just been delivered and hold the next one, both or neither.

    Return None, or why the next slice cannot be held; the delivered one is charged even then.
    """
    try:
        with transaction.atomic():
            settle_job(job)
            hold_slice(job, next_quote)
    except (CreditsShort, AccountBlocked) as error:
        job.refresh_from_db(fields=["price_held", "price_charged"])
        settle_job(job)
        return error
    return None


def _slice_end(job: Job) -> int:
    path = registry.get(job.kind).slice_end
    return int(import_string(path)(job)) if path else job.total


def _write(job: Job, **fields: int) -> None:
    for name, value in fields.items():
        setattr(job, name, value)
    job.save(update_fields=list(fields))
