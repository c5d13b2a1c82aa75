"""Uses a page that `locus report` made, in headless Chromium: `python3 report.py PAGE.html [SCREENSHOT.png]`.

Opens it, measures how long that takes, sorts, filters, turns pages, opens cards by mouse and by keyboard, and fails if anything does not do
what it says or the console has an error. Needs the programs chromium and chromedriver, and nothing else: the protocol is HTTP.
"""

import base64
import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

PORT = 9517
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
ENTER, ESCAPE, TAB, RIGHT, UP = "\ue007", "\ue00c", "\ue004", "\ue014", "\ue013"


class Browser:
    def __init__(self):
        self.driver = subprocess.Popen(["chromedriver", f"--port={PORT}", "--silent"], stdout=subprocess.DEVNULL)
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1280,1600"]
        options = {"goog:chromeOptions": {"args": arguments}, "goog:loggingPrefs": {"browser": "ALL"}}
        self.session = ""
        for attempt in range(50):
            try:
                found = self.call("POST", "/session", {"capabilities": {"alwaysMatch": options}})
                break
            except urllib.error.URLError:
                time.sleep(0.2)
        self.session = "/session/" + found["sessionId"]

    def call(self, method, path, body=None):
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"http://127.0.0.1:{PORT}{self.session}{path}", data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as fault:
            raise AssertionError(json.load(fault)["value"]["message"]) from None

    def run(self, script, *args):
        return self.call("POST", "/execute/sync", {"script": script, "args": list(args)})

    def find(self, css):
        return self.call("POST", "/element", {"using": "css selector", "value": css})[ELEMENT]

    def click(self, css):
        self.call("POST", f"/element/{self.find(css)}/click", {})

    def type(self, css, text):
        self.call("POST", f"/element/{self.find(css)}/value", {"text": text})

    def keys(self, *keys):
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self.call("POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})

    def close(self):
        try:
            self.call("DELETE", "")
        finally:
            self.driver.terminate()


def check(held, words):
    print(("holds   " if held else "FAILS   ") + words)
    if not held:
        raise SystemExit(1)


def opened(browser, page):
    browser.call("POST", "/url", {"url": page.resolve().as_uri()})
    for attempt in range(400):
        if browser.run("return document.documentElement.dataset.ready") == "yes":
            break
        time.sleep(0.02)
    times = browser.run("return [performance.now(), performance.getEntriesByType('navigation')[0].loadEventEnd]")
    ready = browser.run("return performance.getEntriesByName('ready')[0].startTime")
    print(f"        {page.stat().st_size / 1e6:.1f} MB, loaded after {times[1] / 1000:.2f} s, ready after {ready / 1000:.2f} s")
    check(ready < 2000, "the page is ready in 2 s")


# The page's own tables, as its script holds them.
ROWS = "const t = document.getElementById(arguments[0]).table; "


def tables(browser):
    names = browser.run("return [...document.querySelectorAll('section[data-name]')].filter((s) => s.table).map((s) => s.id)")
    for name in names:
        check_table(browser, name)
    return names


def check_table(browser, name):
    here = f"[id='{name}'] "
    count = browser.run(ROWS + "return t.count", name)
    columns = browser.run(ROWS + "return t.columns.map((c) => c.format)", name)
    print(f"        table {name}: {count} rows, {len(columns)} columns")
    for k, form in enumerate(columns):
        browser.run("arguments[0].scrollIntoView({block: 'center'})", {ELEMENT: browser.find(here + f"thead th:nth-child({k + 2}) button")})
        browser.click(here + f"thead th:nth-child({k + 2}) button")
        values = browser.run(ROWS + "return t.order.map((i) => t.sorted.data[i]).filter((x) => !Number.isNaN(x))", name)
        down = browser.run(ROWS + "return t.down", name)
        check(values == sorted(values, reverse=down), f"sorted by column {k}, {'down' if down else 'up'}")
    if count > 50:
        first = browser.run(ROWS + "return t.order[0]", name)
        browser.click(here + ".pager button:nth-child(3)")
        check(browser.run(ROWS + "return t.page", name) == 1, "the next page")
        browser.click(here + ".pager button:nth-child(1)")
        shown = browser.run("return document.querySelector(arguments[0]).textContent", here + "tbody tr th")
        check(shown == str(first), "back on the first page")
    if browser.run("return document.querySelector(arguments[0]).parentElement.hidden", here + ".controls"):
        return
    number = next((k for k, form in enumerate(columns) if form != "flag"), None)
    browser.click(here + "details summary")
    inputs = browser.run(ROWS + "return t.columns.map((c) => c.inputs.length)", name)
    at = sum(inputs[:number]) + 1
    middle = browser.run(ROWS + "const d = [...t.columns[arguments[1]].data].filter((x) => !Number.isNaN(x)).sort((a, b) => a - b); return d[d.length >> 1]", name, number)
    low = browser.run("return document.querySelectorAll(arguments[0])[arguments[1]]", here + ".filters input, " + here + ".filters select", at - 1)
    browser.call("POST", f"/element/{low[ELEMENT]}/value", {"text": f"{middle:.8f}"})
    held = browser.run(ROWS + "return [t.order.length, t.order.every((i) => t.columns[arguments[1]].data[i] >= Number(arguments[2]))]", name, number, f"{middle:.8f}")
    check(held[1] and held[0] <= count, f"filtered: {held[0]} of {count}")
    browser.click(here + ".controls button")
    check(browser.run(ROWS + "return t.order.length", name) == count, "all rows again")
    browser.type(here + "input[type=search]", str(min(7, count - 1)))
    check(browser.run(ROWS + "return t.order", name) == [min(7, count - 1)], "a row by its number")
    if browser.run(ROWS + "return Boolean(t.spec.card)", name):
        check_card(browser, name, here)
    browser.click(here + ".controls button")
    check_views(browser, name, here)


def check_card(browser, name, here):
    browser.click(here + "tbody th button")
    time.sleep(0.3)
    words = browser.run("return document.querySelector('dialog[open]').innerText")
    check("close" in words and len(words) > 40, "a card opens with the mouse")
    if browser.run(ROWS + "return t.spec.card.some((part) => part.kind === 'pairs')", name):
        marked = browser.run("return [...document.querySelectorAll('dialog ol.tokens li')].map((li) => [li.querySelectorAll('.key').length, li.querySelectorAll('.query').length])")
        check(len(marked) > 0 and all(found == [1, 1] for found in marked), f"{len(marked)} passages, a key and a query in each")
    browser.keys(ESCAPE)
    check(browser.run("return document.querySelector('dialog[open]')") is None, "Escape closes it")
    check(browser.run("return document.activeElement.closest('tbody') !== null"), "and the focus is where it was")
    browser.keys(ENTER)
    time.sleep(0.2)
    check(browser.run("return document.querySelector('dialog[open]') !== null"), "and opens with the keyboard")
    browser.keys(ESCAPE)
    browser.click(here + ".controls button")
    browser.click(here + "tbody th button")
    time.sleep(0.2)
    before = browser.run("return document.querySelector('dialog h2').textContent")
    browser.click("dialog .top button:nth-of-type(2)")
    time.sleep(0.2)
    after = browser.run("return document.querySelector('dialog h2').textContent")
    check(before != after, f"from {before} to {after}")
    browser.keys(ESCAPE)


def check_views(browser, name, here):
    if browser.run("return document.querySelector(arguments[0]) !== null", here + ".views svg .bar"):
        browser.run("document.querySelector(arguments[0]).focus()", here + ".views svg .bar:nth-of-type(3)")
        browser.keys(ENTER)
        check(browser.run(ROWS + "return t.limits.size", name) == 1, "a bar sets the filter")
        browser.click(here + ".controls button")
    if browser.run("return document.querySelector(arguments[0]) !== null", here + ".views canvas"):
        browser.run("document.querySelector(arguments[0]).focus()", here + ".views canvas")
        browser.keys(RIGHT, RIGHT, UP)
        told = browser.run("return document.getElementById('live').textContent")
        check(len(told) > 5, f"the plane says: {told}")
        browser.keys(ENTER)
        time.sleep(0.2)
        check(browser.run("return document.querySelector('dialog[open]') !== null"), "and opens the card")
        browser.keys(ESCAPE)


def main(page, screenshot=None):
    browser = Browser()
    try:
        opened(browser, Path(page))
        names = tables(browser)
        named = browser.run("return [...document.querySelectorAll('img, svg[role], canvas')].every((x) => (x.alt || x.getAttribute('aria-label') || '').length > 3)")
        check(named, "every picture says what it is")
        reached = browser.run("return [...document.querySelectorAll('button, input, select, canvas, a, summary, svg .bar')].every((x) => x.tabIndex >= 0)")
        check(reached, "everything can be reached by keyboard")
        if screenshot:
            if names:
                browser.run("document.getElementById(arguments[0]).scrollIntoView()", names[0])
            # Of a page of pairs: the card of one.
            cards = [name for name in names if browser.run(ROWS + "return (t.spec.card || []).some((part) => part.kind === 'pairs')", name)]
            if cards:
                browser.click(f"[id='{cards[0]}'] tbody th button")
                time.sleep(0.3)
            Path(screenshot).write_bytes(base64.b64decode(browser.call("GET", "/screenshot")))
        log = browser.call("POST", "/se/log", {"type": "browser"})
        check(not log, f"no word on the console{''.join(entry['message'] for entry in log)}")
    finally:
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
