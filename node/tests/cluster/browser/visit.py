"""Drives Chromium: one step for each line of JSON on standard input, answered by one line on standard output."""

import json
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
STEPS = Path(__file__).with_name("steps.js").read_text()


def main(chromium: str, node: str) -> None:
    elsewhere, console = [], []
    with sync_playwright() as playwright:
        # The address is this machine's: whatever proxy the environment names has no part in it.
        browser = playwright.chromium.launch(executable_path=chromium, headless=True, args=[*FLAGS, "--no-proxy-server"])
        page = browser.new_page()
        own = (node + "/", "data:", node.replace("http://", "ws://") + "/")
        page.on("request", lambda request: request.url.startswith(own) or elsewhere.append(request.url))
        page.on("websocket", lambda socket: socket.url.startswith(own) or elsewhere.append(socket.url))
        page.on("pageerror", lambda error: console.append(str(error)))

        def log(message):
            # A refused request and a lost connection are part of the visit, and Chromium reports them by itself.
            if message.type in ("error", "warning") and not message.text.startswith("Failed to load resource"):
                console.append(message.text)

        page.on("console", log)
        for line in sys.stdin:
            request = json.loads(line)
            if request["step"] == "docs":
                failed = []
                page.on("response", lambda response: response.ok or failed.append(response.url))
                page.goto(node + "/docs")
                page.wait_for_selector("body[data-ready=yes]", timeout=60_000)
                answer = {"operations": page.locator(".operation").count(), "failed": failed}
                assert not failed, failed
                page.evaluate(STEPS)
            elif request["step"] == "foreign":
                page_elsewhere = browser.new_page()
                page_elsewhere.goto(request["arguments"]["origin"])
                page_elsewhere.evaluate(STEPS)
                answer = page_elsewhere.evaluate("(node) => steps.foreign({ node })", node)
                page_elsewhere.close()
            elif request["step"] == "end":
                answer = {"elsewhere": elsewhere, "console": console}
            else:
                answer = page.evaluate("([step, arguments]) => steps[step](arguments)", [request["step"], request["arguments"]])
            print(json.dumps(answer), flush=True)
            if request["step"] == "end":
                browser.close()
                return


main(*sys.argv[1:])
