"""What the log tells of an API server that is not heard: when it begins, each further kind of problem, when it is over, and nothing in between."""

from structlog.testing import capture_logs

from proxmox_offerings.controller.contact import Contact


def test_log_tells_of_each_problem_once_and_of_the_end() -> None:
    contact = Contact()
    with capture_logs() as lines:
        for _ in range(100):
            contact.failed("watch of offerings", "refused")
            contact.failed("watch of proxmoxhosts", "refused")
        contact.failed("watch of offerings", "forbidden")
        contact.works("watch of offerings")
        contact.works("list")
        contact.works("watch of proxmoxhosts")
        contact.works("watch of proxmoxhosts")
    told = [(line["log_level"], line["event"], line.get("problem")) for line in lines]
    assert told == [
        ("warning", "API server not heard", "refused"),
        ("warning", "API server not heard", "forbidden"),
        ("info", "API server heard again", None),
    ]


def test_next_outage_is_told_like_the_first() -> None:
    contact = Contact()
    with capture_logs() as lines:
        for _ in range(2):
            contact.failed("list", "refused")
            contact.works("list")
    assert [line["log_level"] for line in lines] == ["warning", "info"] * 2


def test_start_is_no_outage_but_not_ready_either() -> None:
    moment = 0.0
    contact = Contact(clock=lambda: moment)
    with capture_logs() as lines:
        contact.awaits(["watch of offerings"])
        moment = 40.0
        assert contact.lost_seconds == 40
        contact.works("watch of offerings")
    assert (contact.lost_seconds, lines) == (0, [])


def test_lost_since_the_first_that_still_fails() -> None:
    moment = 0.0
    contact = Contact(clock=lambda: moment)
    contact.failed("a", "refused")
    moment = 10.0
    contact.failed("b", "refused")
    contact.failed("a", "refused")
    moment = 15.0
    assert contact.lost_seconds == 15
    contact.works("a")
    assert contact.lost_seconds == 5
