"""
The pages in a real browser, against the real server over the sample corpus, with the line running.

Without Chromium (apt install chromium) or Playwright the tests are skipped and counted; the axe
rules are those that axe-playwright-python carries, or of the folder named by NEXTSTEP_AXE, an
unpacked npm package.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.browser_server import CHROMIUM, NO_BROWSER, Served, shot

NO_AXE = "the axe rules are not here"
HOSTILE = '<script>window.hacked=1</script><img src=x onerror="window.hacked=1">\u202eevil'


def axe_rules() -> Path | None:
    """The file of the rules; it is read, and its package is not imported."""
    found = importlib.util.find_spec("axe_playwright_python")
    carried = list(found.submodule_search_locations or ()) if found else []
    folders = [os.environ.get("NEXTSTEP_AXE", ""), *carried]
    paths = [Path(folder) / "axe.min.js" for folder in folders if folder]
    return next((path for path in paths if path.is_file()), None)


AXE = axe_rules()

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=NO_BROWSER)


def test_a_profile_leads_to_a_job_and_its_evidence(page: Any) -> None:
    page.goto("/")
    page.fill("#text", "Data engineer who knows Python and SQL")
    page.get_by_role("button", name="Find jobs").click()
    page.wait_for_url("**/?text=**")
    shared = page.url
    assert page.locator(".result").count() > 3
    assert page.locator("ul.chips[aria-label] .chip", has_text="Python").count() == 1
    shot(page, "match")
    first = page.locator(".result h3 a").first
    title = first.inner_text()
    first.click()
    page.wait_for_url("**/jobs/*")
    assert page.locator("h1").inner_text() == title
    assert page.locator(".post mark").count() > 0
    assert page.locator(".timeline li").count() >= 1
    shot(page, "job")
    page.go_back()
    assert page.url == shared and page.locator(".result").count() > 3
    page.get_by_role("link", name="without Python").click()
    page.wait_for_url("**skill=SQL**")
    assert page.locator("ul.chips[aria-label] .chip", has_text="Python").count() == 0


def test_a_search_is_narrowed_and_the_back_button_undoes_it(page: Any) -> None:
    page.goto("/search")
    page.fill("#q", "engineer")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search?q=engineer")
    whole = page.locator(".result").count()
    box = page.locator("input[name=country]").first
    country = box.get_attribute("value")
    box.check()
    page.wait_for_url(f"**country={country}**")
    assert 0 < page.locator(".result").count() <= whole
    assert page.locator("input[name=country]").first.is_checked()
    page.go_back()
    page.wait_for_url("**/search?q=engineer")
    assert page.locator(".result").count() == whole


def test_the_console_follows_an_append_and_a_pause_holds_the_stage(
    page: Any, served: Served, tmp_path: Path
) -> None:
    page.goto("/console")
    page.locator("[data-live]", has_text="Live.").wait_for()
    shot(page, "console")
    head = int(page.locator("[data-head]").inner_text().replace(",", ""))
    served.append([post("live-1")], tmp_path)
    page.wait_for_function(
        "n => document.querySelector('[data-head]').textContent.replace(',', '') > n", arg=head
    )
    row = page.locator('[data-stage="trends"]')
    row.get_by_role("button", name="Pause").click()
    page.locator(".said", has_text="is paused").wait_for()
    assert row.locator("[data-f=status]").inner_text() == "paused"
    served.append([post("live-2")], tmp_path)
    page.wait_for_function(
        "() => document.querySelector('[data-stage=trends] [data-f=lag]').textContent != '0'"
    )
    row.get_by_role("button", name="Resume").click()
    page.locator(".said", has_text="may go on").wait_for()
    page.wait_for_function(
        "() => document.querySelector('[data-stage=trends] [data-f=lag]').textContent == '0'"
    )
    page.goto("/console/actions")
    assert "pause" in page.locator("tbody tr").nth(1).inner_text()


def test_all_matching_letters_are_retried(page: Any, served: Served) -> None:
    with psycopg.connect(served.url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO dead_letters (stage, job_id, position, error, detail)"
            " SELECT 'extract', job_id, position, 'ValueError: ' || %s, 'line 1'"
            " FROM jobs_normalized ORDER BY job_id LIMIT 3",
            [HOSTILE],
        )
        page.goto("/console/dead-letters?error=valueerror")
        assert page.locator(".letter").count() == 3
        assert "<script>window.hacked" in page.locator(".letter code").first.inner_text()
        page.get_by_role("button", name="Retry all 3 matching").click()
        page.locator(".said", has_text="3 requeued").wait_for()
        page.wait_for_function(
            "async () => (await (await fetch('/v1/dead-letters?status=resolved')).json())"
            ".count == 3"
        )
    assert page.evaluate("window.hacked") is None


def test_a_point_of_a_trend_leads_to_its_postings_and_the_rows_are_a_file(page: Any) -> None:
    page.goto("/trends")
    page.fill("#f-skill", "SQL, Python")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**skill=SQL**")
    assert page.locator("ul.chips[aria-label='Skills shown'] .chip").count() == 2
    shot(page, "trends")
    spoken = page.locator(".line.c2 title").last.text_content()
    with page.expect_download() as file:
        page.get_by_role("link", name="CSV").click()
    rows = Path(file.value.path()).read_text(encoding="utf-8").splitlines()
    assert rows[0] == "skill,month,count,jobs,share,low,high,state" and len(rows) > 3
    skill, month = spoken.split(":")[0].split(", ")
    [count] = [r.split(",")[2] for r in rows if r.startswith(f"{skill},{month}-01,")]
    page.locator(".line.c2 a").last.click()  # on top of those of the first line
    page.wait_for_url("**/trends/skills/jobs?**")
    assert page.locator("h1").inner_text() == f"{count} posting(s) behind a number"
    if int(count):
        page.locator(".result a").first.click()
        page.wait_for_url("**/jobs/*")
        page.go_back()
    page.go_back()
    page.get_by_role("link", name="without Python").click()
    page.wait_for_url("**skill=SQL")
    assert page.locator("tbody tr").count() >= 1


def test_a_rebuild_is_previewed_beside_the_line(page: Any) -> None:
    page.goto("/console/rebuild?stage=trends")
    assert page.locator("#stage").input_value() == "trends"
    page.get_by_role("button", name="Preview").click()
    page.locator("[data-reload]").wait_for()
    # The page looks again by itself.
    page.locator("h2", has_text="trends").wait_for(timeout=90_000)
    assert "Nothing would change" in page.locator(".said").inner_text()
    assert page.locator("tbody th", has_text="trend_groups").count() == 1
    shot(page, "rebuild")


def test_a_hostile_post_shows_as_text(page: Any, served: Served, tmp_path: Path) -> None:
    evil = post("evil")
    evil |= {
        "title": f"Engineer {HOSTILE}",
        "url": "javascript:window.hacked=1",
        "company": HOSTILE,
    }
    evil["text"] = f"{evil['text']} {HOSTILE} data:text/html,<b>x</b> " + "x" * 200_000
    served.append([evil], tmp_path)
    page.goto("/console")
    page.wait_for_function(
        "() => [...document.querySelectorAll('[data-f=lag]')].every(c => c.textContent == '0')"
        " && document.querySelector('[data-live]').textContent == 'Live.'"
    )
    with psycopg.connect(served.url) as connection:
        [(job,)] = connection.execute(
            "SELECT job_id FROM jobs_normalized WHERE source_job_id = 'evil'"
        ).fetchall()
    page.goto(f"/jobs/{job}")
    assert "window.hacked" in page.locator("h1").inner_text()
    assert page.evaluate("window.hacked") is None
    assert page.locator("a[href^='javascript']").count() == 0
    assert page.locator(".post img, h1 img, h1 script").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_small_screens_in_both_schemes(
    browser: Any, served: Served, login: Any, scheme: str
) -> None:
    context = browser.new_context(
        base_url=served.address, storage_state=login, color_scheme=scheme,
        viewport={"width": 360, "height": 700},
    )  # fmt: skip
    page = context.new_page()
    grounds = []
    for path in (
        "/?skill=Python", "/console", "/console/dead-letters", "/api", "/search?q=nurse",
        "/trends?skill=Python&skill=SQL", "/trends/employers", "/console/sources",
    ):  # fmt: skip
        page.goto(path)
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 360, path
        grounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        if path == "/?skill=Python":
            shot(page, f"match-360-{scheme}")
    red = int(grounds[0].split("(")[1].split(",")[0])
    assert (red > 200) == (scheme == "light") and len(set(grounds)) == 1
    context.close()


#: Sums what moved without being asked to, from the first paint on.
_SHIFTS = """() => new Promise(done => {
  let sum = 0;
  new PerformanceObserver(list => list.getEntries().forEach(e => { sum += e.value; }))
    .observe({type: "layout-shift", buffered: true});
  setTimeout(() => done(sum), 400);
})"""


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_moves_while_a_page_loads(
    browser: Any, served: Served, login: Any, width: int
) -> None:
    context = browser.new_context(
        base_url=served.address, storage_state=login, viewport={"width": width, "height": 700}
    )
    page = context.new_page()
    moved = {}
    for path in (
        "/", "/?skill=Python", "/search?q=nurse", "/trends?skill=Python&skill=SQL",
        "/trends/employers", "/console", "/console/dead-letters", "/console/sources",
    ):  # fmt: skip
        page.goto(path)
        moved[path] = page.evaluate(_SHIFTS)
    page.goto("/?skill=Python")
    page.locator(".result h3 a").first.click()
    page.wait_for_url("**/jobs/*")
    moved["job"] = page.evaluate(_SHIFTS)
    assert moved == dict.fromkeys(moved, 0)
    # What the measure sees where something does move.
    page.evaluate("document.body.style.paddingTop = '200px'")
    assert page.evaluate(_SHIFTS) > 0
    context.close()


def test_the_keyboard_alone_goes_from_question_to_job(page: Any) -> None:
    page.goto("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "text"
    page.keyboard.type("accountant, Excel")
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.tagName") == "BUTTON":
            break
    page.keyboard.press("Enter")
    page.wait_for_url("**/?text=**")
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate("!!document.activeElement.closest('.result h3')"):
            break
    page.keyboard.press("Enter")
    page.wait_for_url("**/jobs/*")


def test_reading_works_without_script(browser: Any, served: Served, login: Any) -> None:
    context = browser.new_context(
        base_url=served.address, storage_state=login, java_script_enabled=False
    )
    page = context.new_page()
    page.goto("/")
    page.fill("#text", "Python developer")
    page.get_by_role("button", name="Find jobs").click()
    assert page.locator(".result").count() > 0
    page.goto("/console")
    assert page.locator("[data-stage]").count() >= 4
    context.close()


@pytest.mark.skipif(AXE is None, reason=NO_AXE)
def test_axe_has_no_serious_findings(browser: Any, served: Served, login: Any) -> None:
    assert AXE is not None
    rules = AXE.read_text(encoding="utf-8")
    with psycopg.connect(served.url, autocommit=True) as connection:
        [(letter,)] = connection.execute(
            "INSERT INTO dead_letters (stage, job_id, position, error, detail, status)"
            " SELECT 'trends', job_id, position, 'ValueError', 'line 1', 'parked'"
            " FROM jobs_normalized ORDER BY job_id LIMIT 1 RETURNING job_id"
        ).fetchall()
    found = []
    for scheme in ("light", "dark"):
        # The rules are put in past the pages' own policy, which would refuse them.
        context = browser.new_context(
            base_url=served.address, storage_state=login, color_scheme=scheme, bypass_csp=True
        )
        page = context.new_page()
        job = None
        for path in (
            "/?skill=Python", "job", "/trends", "/trends?skill=Python&skill=SQL", "/trends/roles",
            "/trends/salaries", "/trends/coverage", "/trends/skills/jobs?skill=Python", "/console",
            "/console/dead-letters?status=all", f"/console/dead-letters/trends/{letter}",
            "/console/sources", "/console/rebuild", "/api", "/login",
        ):  # fmt: skip
            page.goto(job if path == "job" else path)
            job = job or page.locator(".result h3 a").first.get_attribute("href")
            page.evaluate(rules)
            # What colours change is looked at twice, all else once.
            only: dict[str, Any] = {"resultTypes": ["violations"]}
            if scheme == "dark":
                only["runOnly"] = ["color-contrast"]
            report = page.evaluate("only => axe.run(only)", only)
            found += [
                (scheme, path, one["id"], one["nodes"][0]["html"][:120])
                for one in report["violations"]
                if one["impact"] in ("serious", "critical")
            ]
        context.close()
    assert found == []


def post(name: str) -> dict[str, Any]:
    """A post as a source gives it."""
    return {
        "source": "browser", "source_job_id": name, "url": f"https://jobs.example/{name}",
        "title": f"Platform Engineer {name}", "company": f"Acme {name}",
        "location": "Berlin, Germany", "date_posted": "2026-01-10",
        "text": f"We look for an engineer ({name}) with Python, Kubernetes and Terraform.",
    }  # fmt: skip
