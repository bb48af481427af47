"""Opens /docs in the system's Chromium: it renders, search narrows it, `try it` gets an answer with a key, and each snippet shows.

usage: docs_check.py GATEWAY_URL API_KEY [SCREENSHOT.png]
"""

import pathlib
import subprocess
import sys
import tempfile

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

FLAGS = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync"
# Words of each language that only its snippet has.
SNIPPETS = {"curl": "curl -X", "Python": "import requests", "JavaScript": "await fetch(", "Swift": "URLSession.shared"}


def run_snippet(page, title, text):
    """Runs what somebody would paste, and answers what it printed."""
    if title == "JavaScript":
        return page.evaluate("async () => { let out = ''; const console = { log: (...p) => { out += p.join(' '); } };\n" + text + "\nreturn out; }")
    with tempfile.TemporaryDirectory() as folder:
        name = {"curl": "main.sh", "Python": "main.py", "Swift": "main.swift"}[title]
        file = pathlib.Path(folder, name)
        file.write_text(text)
        command = {"curl": ["bash", name], "Python": [sys.executable, name], "Swift": ["bash", "-c", "swiftc main.swift -o main && ./main"]}[title]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=180)
        return done.stdout + (done.stderr if done.returncode else "")


def check(page, url, key):
    page.goto(f"{url}/docs", wait_until="networkidle")
    expect(page.locator(".opblock").first).to_be_visible()
    operations = page.locator(".opblock").count()
    assert operations >= 41, f"{operations} operations are shown"

    # Search by tag.
    page.locator(".operation-filter-input").fill("Accounts")
    expect(page.locator(".opblock-tag")).to_have_count(1)
    page.locator(".operation-filter-input").fill("")

    # Sign in with the key.
    page.locator("button.authorize").first.click()
    form = page.locator(".auth-container", has_text="apiKey")
    form.locator("input").fill(key)
    form.locator("button[type=submit]").click()
    page.locator(".auth-container button.btn-done").first.click()

    # A deep link opens its operation.
    block = page.locator("#operations-Accounts-getPublicUser")
    block.locator(".opblock-summary-control").click()
    assert "#/Accounts/getPublicUser" in page.url, page.url
    snippets = block.locator("details.snippets")
    snippets.locator("summary").click()
    for title, words in SNIPPETS.items():
        snippets.get_by_text(title, exact=True).first.click()
        expect(snippets.locator("pre").last).to_contain_text(words)
        expect(snippets.locator("pre").last).to_contain_text("/api/v1/api/public/user")
        answer = run_snippet(page, title, snippets.locator("pre").last.inner_text().replace("$TOKEN", key))
        assert "organization" in answer, f"the {title} snippet got {answer}"

    block.locator("button.try-out__btn").click()
    block.locator("button.execute").click()
    expect(block.locator(".live-responses-table tbody .response-col_status").first).to_contain_text("200")
    expect(block.locator(".live-responses-table tbody .response-col_description").first).to_contain_text("organization")
    page.goto(f"{url}/docs#/Campaigns/createCampaign", wait_until="networkidle")
    page.reload(wait_until="networkidle")
    expect(page.locator("#operations-Campaigns-createCampaign")).to_have_class("opblock opblock-post is-open")
    body = page.locator("#operations-Campaigns-createCampaign details.snippets")
    body.locator("summary").click()
    body.get_by_text("Python", exact=True).first.click()
    expect(body.locator("pre").last).to_contain_text("Spring news")


def main():
    url, key = sys.argv[1], sys.argv[2]
    expect.set_options(timeout=30_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS.split())
        page = browser.new_context(viewport={"width": 1440, "height": 1000}).new_page()
        faults = []
        page.on("console", lambda m: faults.append(f"console {m.type}: {m.text}") if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: faults.append(f"page error: {error}"))
        page.on("requestfailed", lambda request: faults.append(f"request failed: {request.url}"))
        page.on("response", lambda answer: faults.append(f"HTTP {answer.status}: {answer.url}") if answer.status >= 400 else None)
        page.on("request", lambda request: None if request.url.startswith((url, "data:", "blob:")) else faults.append(f"calls {request.url}"))
        try:
            check(page, url, key)
        finally:
            if len(sys.argv) > 3:
                page.screenshot(path=sys.argv[3])
            print("\n".join(faults))
        for path in ["/problems", "/problems/validation"]:
            page.goto(url + path, wait_until="networkidle")
            faults += [f"axe {path} {v['impact']}: {v['id']}" for v in Axe().run(page).response["violations"]]
        browser.close()
    print("\n".join(faults) or "docs page: renders, searches, tries, shows snippets")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
