"""Who wrote what for which attempt, noted by the database itself in the transaction of the write."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

# Every row that an attempt's work brings about, and how to find its job.
OF_GENERATION = "SELECT job_id FROM generation_generation WHERE id = NEW.generation_id"
OF_EXPERIMENT = "SELECT job_id FROM training_experiment WHERE id = NEW.experiment_id"
OF_AI_TRAINING = "SELECT job_id FROM training_aitraining WHERE id = NEW.training_id"
OF_UPLOAD = "SELECT job_id FROM training_upload WHERE id = NEW.upload_id"
# (table, events, which of them, how to find the job)
WRITES = [
    ("generation_picture", "INSERT", "", OF_GENERATION),
    ("training_snapshot", "INSERT OR UPDATE", "", OF_EXPERIMENT),
    ("training_trainingstat", "INSERT OR UPDATE", "", OF_EXPERIMENT),
    ("training_aisnapshot", "INSERT OR UPDATE", "", OF_AI_TRAINING),
    ("training_aitrainingstat", "INSERT OR UPDATE", "", OF_AI_TRAINING),
    # A file's verdict; what ends early refuses the rest from wherever it was ended.
    ("training_uploadedfile", "UPDATE OF status", "NEW.status <> 'refused'", OF_UPLOAD),
    ("jobs_job", "UPDATE", "OLD.step IS DISTINCT FROM NEW.step", "SELECT NEW.id"),
]


@contextmanager
def audited() -> Iterator[None]:
    """Note the writes in the table `chaos_write` for as long as this lasts."""
    with connection.cursor() as cursor:
        cursor.execute(_CREATE)
        for number, write in enumerate(WRITES):
            cursor.execute(_trigger(number, *write))
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            for number in range(len(WRITES)):
                cursor.execute(f"DROP FUNCTION chaos_note_{number} CASCADE")
            cursor.execute("DROP TABLE chaos_write")


def writes() -> int:
    return _ask("SELECT count(*) FROM chaos_write")[0][0]


def attempts_with_two_writers() -> list[tuple]:
    return _ask(
        "SELECT job_id, attempt, array_agg(DISTINCT writer) FROM chaos_write"
        " GROUP BY job_id, attempt HAVING count(DISTINCT writer) > 1"
    )


def writes_without_a_lease() -> list[tuple]:
    return _ask("SELECT * FROM chaos_write WHERE state NOT IN ('running', 'stopping')")


def _ask(sql: str) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


_CREATE = """
CREATE TABLE chaos_write (
    at timestamptz DEFAULT clock_timestamp(), what text, job_id uuid, attempt int, state text, writer text
)
"""


def _trigger(number: int, table: str, events: str, only_if: str, find_job: str) -> str:
    when = f"WHEN ({only_if})" if only_if else ""
    return f"""
    CREATE FUNCTION chaos_note_{number}() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO chaos_write (what, job_id, attempt, state, writer)
        SELECT TG_TABLE_NAME, id, attempt, {"OLD.state" if table == "jobs_job" else "state"},
               current_setting('application_name')
        FROM jobs_job WHERE id = ({find_job});
        RETURN NULL;
    END $$;
    CREATE TRIGGER chaos_note AFTER {events} ON {table} FOR EACH ROW {when}
        EXECUTE FUNCTION chaos_note_{number}();
    """
