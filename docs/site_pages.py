"""Hook of MkDocs: pages for the files at the top of the repository, and an API reference from docstrings.

A relative link in Markdown is written for readers of the repository. Here each one is resolved to the file
that it names: a link to another page becomes that page's, one to a file that has no page becomes plain text,
and one to nothing is a warning, which ends a strict build.
"""

from __future__ import annotations

import logging
import os.path
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

logger = logging.getLogger("mkdocs.plugins.site_pages")  # under MkDocs's, whose warnings --strict counts

ROOT = Path(__file__).parents[1]
TOP_PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "benchmarks/README.md": "benchmarks.md",
}
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)\)")
ROLE = re.compile(r":\w+:<code>~?[\w.]*?(\w+)</code>")  # as in :func:`~.config.Config`
CODE = re.compile(r"(```.*?```|`[^`\n]*`)", re.DOTALL)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the API reference to the navigation."""
    reference = [{title: f"reference/{module}.md"} for title, module in config.extra["api"].items()]
    config.nav = [*config.nav, {"API reference": reference}]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that do not lie in docs/."""
    for source, page in TOP_PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    for title, module in config.extra["api"].items():
        text = f"# {title}\n\n`{module}`\n\n::: {module}\n"
        files.append(File.generated(config, f"reference/{module}.md", content=text))
    return files


def on_page_markdown(markdown: str, page: Page, files: Files, **_: Any) -> str:
    """Point links of the repository at the site's pages, outside code."""
    parts = CODE.split(markdown)
    # A link's text may hold code, so links are looked for where code is hidden, and then code is put back.
    codes = parts[1::2]
    hidden = "".join(part if i % 2 == 0 else f"\0{i // 2}\0" for i, part in enumerate(parts))
    linked = LINK.sub(lambda match: _link(match, page, files), hidden)
    return re.sub("\0(\\d+)\0", lambda match: codes[int(match[1])], linked)


def on_page_content(html: str, **_: Any) -> str:
    """Show the roles of docstrings as code."""
    return ROLE.sub(r"<code>\1</code>", html)


def _link(match: re.Match[str], page: Page, files: Files) -> str:
    picture, text, target = match.groups()
    path, _, anchor = target.partition("#")
    if not path or ":" in path:
        return match[0]
    pages = {page: source for source, page in TOP_PAGES.items()}
    source = pages.get(page.file.src_uri, f"docs/{page.file.src_uri}")
    named = os.path.normpath(Path(source).parent / unquote(path))
    if not (ROOT / named).exists():
        logger.warning("%s links to [%s], which is not in the repository", source, target)
        return match[0]
    uri = TOP_PAGES.get(named, named.removeprefix("docs/"))
    if files.get_file_from_path(uri) is None:
        return text
    relative = os.path.relpath(uri, Path(page.file.src_uri).parent)
    return f"{picture}[{text}]({relative}{'#' + anchor if anchor else ''})"
