#!/usr/bin/env python3
"""Draws approval.svg from ../workflows/expenseApproval.asl.json. Needs Python 3 only.

    python3 docs/draw-state-machine.py           # draw it
    python3 docs/draw-state-machine.py --check   # exit 1 if it is out of date

States, transitions and what stands on them come from the file; where they are drawn stands here. A state or a
transition that has no place here is an error, and so is a place for what there is not.
"""

import html
import json
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parent / "workflows" / "expenseApproval.asl.json"
TARGET = HERE / "approval.svg"
WIDTH, HEIGHT = 1180, 810

# x, y, width, height
PLACES = {
    "Claim": (130, 70, 260, 90),
    "ChooseApprover": (130, 230, 260, 90),
    "Ask": (130, 390, 260, 90),
    "TimeUp": (130, 550, 260, 90),
    "Outcome": (540, 365, 180, 140),
    "ClaimedByAnother": (900, 87, 250, 56),
    "Approved": (900, 230, 250, 56),
    "Rejected": (900, 330, 250, 56),
    "ChangesRequested": (900, 430, 250, 56),
    "Closed": (900, 530, 250, 70),
    "ApprovalFailed": (130, 700, 330, 80),
}

# The corners of each transition's line, and where its label stands: x, y and anchor.
RAIL = [(60, 740), (130, 740)]
ROUTES = {
    ("Claim", "ChooseApprover"): ([(260, 160), (260, 230)], None),
    ("Claim", "ClaimedByAnother"): ([(390, 115), (900, 115)], (645, 106, "middle")),
    ("Claim", "ApprovalFailed"): ([(130, 115), (60, 115), *RAIL], (70, 200, "start")),
    ("ChooseApprover", "Outcome"): ([(390, 260), (670, 260), (670, 365)], None),
    ("ChooseApprover", "ApprovalFailed"): ([(130, 275), (60, 275), *RAIL], None),
    ("Ask", "Outcome"): ([(390, 460), (540, 460)], None),
    ("Ask", "TimeUp"): ([(260, 480), (260, 550)], (272, 520, "start")),
    ("Ask", "ApprovalFailed"): ([(130, 435), (60, 435), *RAIL], None),
    ("TimeUp", "Outcome"): ([(390, 595), (590, 595), (590, 505)], None),
    ("TimeUp", "ApprovalFailed"): ([(130, 595), (60, 595), *RAIL], None),
    ("Outcome", "Ask"): ([(540, 410), (390, 410)], (465, 402, "middle")),
    ("Outcome", "ChooseApprover"): ([(590, 365), (590, 295), (390, 295)], (490, 287, "middle")),
    ("Outcome", "Approved"): ([(720, 390), (750, 390), (750, 258), (900, 258)], (825, 250, "middle")),
    ("Outcome", "Rejected"): ([(720, 415), (780, 415), (780, 358), (900, 358)], (835, 350, "middle")),
    ("Outcome", "ChangesRequested"): ([(720, 458), (900, 458)], (808, 450, "middle")),
    ("Outcome", "Closed"): ([(720, 485), (780, 485), (780, 565), (900, 565)], (835, 557, "middle")),
    ("Outcome", "ApprovalFailed"): ([(670, 505), (670, 740), (460, 740)], (565, 732, "middle")),
}


def transitions(states):
    """Every way from a state to another: whether it is one of failure, and what stands on it."""
    for name, state in states.items():
        if "Next" in state:
            yield (name, state["Next"]), False, None
        for choice in state.get("Choices", []):
            values = re.findall(r"= '(\w+)'", choice["Condition"])
            yield (name, choice["Next"]), False, " or ".join(values)
        if "Default" in state:
            yield (name, state["Default"]), True, "anything else"
        for catcher in state.get("Catch", []):
            errors = catcher["ErrorEquals"]
            yield (name, catcher["Next"]), errors == ["States.ALL"], " or ".join(errors)


def wrapped(text, width):
    """Words in lines of at most so many characters."""
    lines = [""] if text else []
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def task(state):
    """What a state asks for, in a few words."""
    arguments = state.get("Arguments", {})
    asked = arguments.get("Payload", {}).get("task")
    if asked:
        return f"approval function: {asked}"
    return state["Resource"].removeprefix("arn:aws:states:::")


def notes(state):
    """What stands below a state's name."""
    if state["Type"] == "Task":
        lines = [task(state)]
        if state["Resource"].endswith("waitForTaskToken"):
            lines.append("waits for the task token, or the time")
        retried = [retrier for retrier in state.get("Retry", []) if retrier.get("MaxAttempts", 3) > 0]
        return lines + [f"retries {retrier.get('MaxAttempts', 3)} times, with jitter" for retrier in retried]
    if state["Type"] == "Choice":
        return ["how the step stands", "in the table"]
    return wrapped(state.get("Comment", ""), 40)


COLOURS = {"Task": ("#eef2f7", "#5b6b80"), "Choice": ("#fff7e0", "#9a7a1c"), "Succeed": ("#e7f4ec", "#2c7a4b"), "Fail": ("#fbeaea", "#a11d1d")}


def box(name, state):
    x, y, width, height = PLACES[name]
    fill, stroke = COLOURS[state["Type"]]
    radius = {"Task": 10, "Choice": 40}.get(state["Type"], height // 2)
    lines = notes(state)
    top = y + height / 2 - 9 * len(lines) + 6
    middle = x + width / 2
    yield f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="{radius}" fill="{fill}" stroke="{stroke}" stroke-width="2"/>'
    yield f'<text x="{middle:g}" y="{top:g}" class="t">{html.escape(name)}</text>'
    for index, line in enumerate(lines):
        yield f'<text x="{middle:g}" y="{top + 18 * (index + 1):g}" class="s">{html.escape(line)}</text>'


def arrow(way, fails, label):
    corners, place = ROUTES[way]
    path = "M" + " L".join(f"{x},{y}" for x, y in corners)
    kind = "f" if fails else "a"
    yield f'<path d="{path}" class="{kind}" marker-end="url(#{kind}m)"/>'
    if place and label:
        x, y, anchor = place
        yield f'<text x="{x}" y="{y}" class="l" text-anchor="{anchor}">{html.escape(label)}</text>'


def picture(machine):
    states = machine["States"]
    ways = list(transitions(states))
    if set(PLACES) != set(states):
        sys.exit(f"states without a place, or places without a state: {sorted(set(PLACES) ^ set(states))}")
    if (drawn := {way for way, *_ in ways}) != set(ROUTES):
        sys.exit(f"transitions without a line, or lines without a transition: {sorted(drawn ^ set(ROUTES))}")
    start = PLACES[machine["StartAt"]]
    middle = start[0] + start[2] / 2
    yield f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="DejaVu Sans, Verdana, sans-serif">'
    yield "<title>The state machine of an approval</title>"
    marker = '<marker id="{}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto"><path d="M0,0 L10,5 L0,10 z" fill="{}"/></marker>'
    yield f'<defs>{marker.format("am", "#39424e")}{marker.format("fm", "#a11d1d")}</defs>'
    yield "<style>.t{font-size:16px;font-weight:bold;fill:#1b1f24;text-anchor:middle}.s{font-size:13px;fill:#39424e;text-anchor:middle}.l{font-size:13px;fill:#1b1f24}.a,.f{fill:none;stroke:#39424e;stroke-width:1.8}.f{stroke:#a11d1d}</style>"
    yield f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>'
    yield f'<circle cx="{middle:g}" cy="30" r="9" fill="#39424e"/>'
    yield f'<text x="{middle + 18:g}" y="35" class="l">ExpenseSubmitted, ExpenseReopened, or the sweeper</text>'
    yield f'<path d="M{middle:g},30 L{middle:g},{start[1]}" class="a" marker-end="url(#am)"/>'
    for transition in ways:
        yield from arrow(*transition)
    for name, state in states.items():
        yield from box(name, state)
    yield "</svg>"


def main():
    drawn = "\n".join(picture(json.loads(SOURCE.read_text()))) + "\n"
    if "--check" in sys.argv[1:]:
        if not TARGET.exists() or TARGET.read_text() != drawn:
            sys.exit("docs/approval.svg is out of date: run python3 docs/draw-state-machine.py")
        return
    TARGET.write_text(drawn)


if __name__ == "__main__":
    main()
