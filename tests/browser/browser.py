"""Looks at pages and presses their buttons in a real Chromium, for tests/end_to_end/browser.rs.

    browser.py CHROMIUM scan    < {"url", "times"}
    browser.py CHROMIUM decide  < {"url", "decision", "comment", "javascript", "twice"}
    browser.py CHROMIUM inspect < {"pages": [{"name", "url", "press", "mail"}], "shots"}

Each prints what it found as JSON. Only a fault of its own, or of the browser, ends it with an error.
"""

import json
import pathlib
import sys
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

WIDTHS = {360: 740, 1280: 900}
SCHEMES = ["light", "dark"]
# Best practices are among axe's defaults; how large a target is to the finger is not.
AXE = {"resultTypes": ["violations"], "rules": {"target-size": {"enabled": True}}}


def scan(browser, asked):
    """Does with a link what a mail scanner does: looks and runs what there is to run, asks for the head only, and
    fetches ahead whatever the page leads to. Half of the looks are GET, half are HEAD."""
    context = browser.new_context()
    seen = []
    context.on("response", lambda answer: seen.append([answer.request.method, answer.url, answer.status]))
    page = context.new_page()
    scanner = context.new_page()
    for _ in range(asked["times"] // 2):
        page.goto(asked["url"], wait_until="load")
        for address in page.eval_on_selector_all("a[href]", "links => links.map(link => link.href)"):
            page.goto(address, wait_until="load")
        # From a page without a policy of its own: that of ours allows no such request.
        with context.expect_event("response", lambda answer: answer.request.method == "HEAD"):
            scanner.evaluate("url => { fetch(url, { method: 'HEAD', mode: 'no-cors' }) }", asked["url"])
    context.close()
    of_link = [entry for entry in seen if entry[1] == asked["url"]]
    return {
        "GET": sum(method == "GET" for method, *_ in of_link),
        "HEAD": sum(method == "HEAD" for method, *_ in of_link),
        "statuses": sorted({status for *_, status in of_link}),
        "methods": sorted({method for method, *_ in seen}),
    }


def press(page, decision, comment, twice=False):
    """Unfolds a decision, as a finger does, says something with it and presses its button; how the page answered."""
    button = page.locator(f"button[name=decision][value={decision}]")
    choice = page.locator("details", has=button)
    if choice.count() and choice.get_attribute("open") is None:
        choice.locator("summary").tap()
    form = page.locator("form", has=button)
    if form.locator("textarea").count():
        form.locator("textarea").fill(comment)
    if form.locator("input[type=checkbox]").count():
        form.locator("input[type=checkbox]").check()
    with page.expect_navigation() as navigation:
        if twice:
            button.dblclick(no_wait_after=True)
        else:
            button.tap(no_wait_after=True)
    page.wait_for_load_state("load")
    return navigation.value.status


def decide(browser, asked):
    """Presses a button on a phone."""
    context = browser.new_context(
        viewport={"width": 360, "height": 740}, is_mobile=True, has_touch=True, java_script_enabled=asked["javascript"]
    )
    page = context.new_page()
    posts = []
    page.on("request", lambda request: request.method == "POST" and posts.append(request.url))
    page.goto(asked["url"])
    folded = not page.locator(f"button[value={asked['decision']}]").is_visible()
    status = press(page, asked["decision"], asked["comment"], asked.get("twice", False))
    found = {"folded": folded, "posts": len(posts), "status": status, "heading": page.locator("h1").inner_text()}
    context.close()
    return found


def faults(page, where):
    """What is wrong with a page as it stands."""
    found = []
    wide = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    if wide[0] > wide[1]:
        found.append(f"{where}: {wide[0]} pixels wide in a window of {wide[1]}")
    for violation in Axe().run(page, options=AXE).response["violations"]:
        nodes = "; ".join(f"{node['html'][:160]} ({node['failureSummary']})" for node in violation["nodes"][:3])
        found.append(f"{where}: {violation['id']}: {violation['help']}: {nodes}")
    return found


def inspect(browser, asked):
    """Looks at pages and mails at both widths and in both colour schemes, each choice folded and unfolded."""
    shots = pathlib.Path(asked["shots"])
    shots.mkdir(parents=True, exist_ok=True)
    found, looks = [], 0
    for width, height in WIDTHS.items():
        for scheme in SCHEMES:
            for entry in asked["pages"]:
                context = browser.new_context(
                    viewport={"width": width, "height": height}, color_scheme=scheme, is_mobile=width < 500, has_touch=True
                )
                page = context.new_page()
                where = f"{entry['name']}, {width} pixels, {scheme}"
                strangers, complaints = [], []
                ours = urlsplit(entry["url"]).netloc

                def requested(request):
                    address = urlsplit(request.url)
                    if address.scheme not in ("data", "blob") and address.netloc != ours:
                        strangers.append(request.url)

                page.on("request", requested)
                # A page with a status other than 200 is no fault of the page.
                page.on(
                    "console",
                    lambda message: message.type in ("error", "warning")
                    and "the server responded with a status" not in message.text
                    and complaints.append(message.text),
                )
                page.on("pageerror", lambda error: complaints.append(str(error)))
                page.goto(entry["url"], wait_until="load")
                if entry.get("press"):
                    press(page, entry["press"], entry.get("comment", ""))
                broken = page.eval_on_selector_all("img", "all => all.filter(one => !one.naturalWidth).length")
                if broken:
                    complaints.append(f"{broken} pictures are not shown")
                found += faults(page, where)
                name = f"{entry['name']}-{width}-{scheme}".replace(" ", "-")
                page.screenshot(path=shots / f"{name}.png", full_page=True)
                looks += 1
                choices = page.locator("details")
                for at in range(choices.count()):
                    choice = choices.nth(at)
                    if choice.get_attribute("open") is None:
                        choice.locator("summary").tap()
                    found += faults(page, f"{where}, choice {at + 1} unfolded")
                    page.screenshot(path=shots / f"{name}-{at + 1}.png", full_page=True)
                    looks += 1
                found += [f"{where}: asks for {address}" for address in strangers]
                found += [f"{where}: {complaint}" for complaint in complaints]
                context.close()
    return {"looks": looks, "faults": found}


def main():
    chromium, command = sys.argv[1:]
    asked = json.load(sys.stdin)
    with sync_playwright() as playwright:
        # Its sandbox needs privileges that machines of a CI do not give; it looks at nothing but our own pages.
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        found = {"scan": scan, "decide": decide, "inspect": inspect}[command](browser, asked)
        browser.close()
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
