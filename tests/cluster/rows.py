"""What is done to a send while it runs on a cluster: each row of the table is one of these."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import psutil
from running_airflow import FINISHED

from tests.cluster.cluster import HEARTBEAT_SECONDS, Cluster
from tests.cluster.sends import END_SECONDS, ClusterSend

# Requests that the vendor has received before anything is done, and between two kills.
SOME = 100
REDIS_SECONDS = 10.0
# What may pass until a process is in the middle of a write that is stalled.
STALL_SECONDS = 60.0

Disturb = Callable[[ClusterSend], object]


def nothing(send: ClusterSend) -> None:
    """Let it run to its end."""


def kill_worker_trees(send: ClusterSend) -> None:
    """Kill the worker with all its processes, three times; wait for the next try in between."""
    for _ in range(3):
        send.some_requests(SOME)
        send.cluster.kill(send.worker())
        send.next_try()


def stop_redis(send: ClusterSend) -> None:
    """Kill Redis, and start it again."""
    send.some_requests(SOME)
    send.cluster.stop("redis")
    time.sleep(REDIS_SECONDS)
    send.cluster.begin("redis")


def restart_postgres(send: ClusterSend) -> None:
    """End all sessions of the database, and restart it."""
    send.some_requests(SOME)
    send.cluster.postgres.restart()


def kill_api_server(send: ClusterSend) -> None:
    """Kill the API server, which is started again."""
    send.some_requests(SOME)
    send.cluster.kill("api-server")


def shut_down_warmly(send: ClusterSend) -> None:
    """Ask the worker to end once its tasks have."""
    _shut_down(send, signal.SIGTERM)


def shut_down_coldly(send: ClusterSend) -> None:
    """Ask the worker to end at once."""
    _shut_down(send, signal.SIGQUIT)


def _shut_down(send: ClusterSend, number: int) -> None:
    send.some_requests(SOME)
    send.cluster.process(send.worker()).send_signal(number)


def redeliver(send: ClusterSend) -> None:
    """Put the message of the running task into the queue once more, as Redis does after its visibility timeout."""
    send.some_requests(SOME)
    messages = [json.loads(line) for line in send.cluster.redis("HVALS", "unacked").splitlines() if line]
    assert messages, "the message is not acknowledged before the task has ended"
    for message, _, queue in messages:
        send.cluster.redis("LPUSH", queue, json.dumps(message))


def pause(send: ClusterSend) -> None:
    """Pause the task and its supervisor for longer than Airflow waits for a heartbeat; they continue beside a retry."""
    send.some_requests(SOME)
    with _paused(send):
        send.next_try()
        send.some_requests(20)


def stall_a_write(send: ClusterSend) -> None:
    """Stall a write of the ledger in the database, and pause who wrote it; it is stored beside a retry."""
    send.some_requests(SOME)
    where = "run_id = %s AND task_id = 'send' AND key = 'try-1'"
    with send.cluster.database() as database:
        with database.cursor() as cursor:
            cursor.execute(f"SELECT 1 FROM task_state_store WHERE {where} FOR UPDATE", [send.run.run_id])
            assert cursor.rowcount == 1
        send.run.wait("a stalled write", lambda: _waits_for_lock(send.cluster), STALL_SECONDS)
        with _paused(send):
            send.next_try()
            send.some_requests(20)
            database.rollback()


def _waits_for_lock(cluster: Cluster) -> bool:
    with cluster.database() as database, database.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query ILIKE '%task_state_store%'"
        )
        ((number,),) = cursor.fetchall()
        return bool(number)


@contextmanager
def _paused(send: ClusterSend) -> Iterator[None]:
    pid = send.run.running().pid
    assert pid
    process = psutil.Process(pid)
    both = [one for one in (process.parent(), process) if one]
    for one in both:
        one.send_signal(signal.SIGSTOP)
    send.kills += 1
    send.left(pid)
    try:
        yield
    finally:
        for one in both:
            if one.is_running():
                one.send_signal(signal.SIGCONT)


def retry_elsewhere(send: ClusterSend) -> None:
    """Kill the worker, and let no other than the second one take the retry, whose folder is another one."""
    send.some_requests(SOME)
    worker = send.worker()
    send.cluster.stop(worker)
    send.next_try()
    send.run.until("is over", lambda task: task.state in FINISHED, END_SECONDS)
    send.cluster.begin(worker)


DISTURBANCES: Mapping[str, Disturb] = {
    "nothing": nothing,
    "worker tree killed three times": kill_worker_trees,
    f"Redis down for {REDIS_SECONDS:g} s": stop_redis,
    "PostgreSQL restarted": restart_postgres,
    "API server killed": kill_api_server,
    "worker shut down warmly (SIGTERM)": shut_down_warmly,
    "worker shut down coldly (SIGQUIT)": shut_down_coldly,
    "message redelivered": redeliver,
    f"supervisor and task paused past the heartbeat ({HEARTBEAT_SECONDS} s)": pause,
    "state write stalled, supervisor and task paused past the heartbeat": stall_a_write,
}
"""With outcomes in object storage."""

ELSEWHERE = "retry on a worker that does not see the outcomes folder"
