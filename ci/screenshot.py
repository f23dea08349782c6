#!/usr/bin/python3
"""Draws a terminal as an SVG file.

    tmux capture-pane -e -p | ci/screenshot.py TITLE > FILE

Reads the text with its escape sequences, and writes the picture, with Debian's package python3-rich.
"""

import io
import re
import sys

if len(sys.argv) != 2:
    sys.exit("usage: tmux capture-pane -e -p | ci/screenshot.py TITLE > FILE")

from rich.console import Console
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.text import Text

lines = sys.stdin.read().rstrip("\n").split("\n")
text = Text.from_ansi("\n".join(lines))
console = Console(record=True, width=80, file=io.StringIO(), force_terminal=True)
console.print(text, no_wrap=True, overflow="crop", soft_wrap=False)
# A font that is there: the reader's.
layout = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
layout = layout.replace("Fira Code", "DejaVu Sans Mono, Menlo, Consolas")
picture = console.export_svg(title=sys.argv[1], code_format=layout)


def without_indent(found):
    """Moves the text instead, since not every viewer keeps spaces at its start."""
    wide = CHARACTER * len(found["indent"]) / len("&#160;")
    x, length = float(found["x"]) + wide, float(found["length"]) - wide
    return (
        f'<text class="{found["kind"]}" x="{x:g}" y="{found["y"]}" textLength="{length:g}"'
        f'{found["clip"]}>{found["text"]}</text>'
    )


# The width of a character of rich's.
CHARACTER = 12.2
picture = re.sub(
    r'<text class="(?P<kind>[^"]*)" x="(?P<x>[^"]*)" y="(?P<y>[^"]*)" textLength="(?P<length>[^"]*)"'
    r"(?P<clip>[^>]*)>(?P<indent>(?:&#160;)*)(?P<text>[^<]*)</text>",
    without_indent,
    picture,
)
sys.stdout.write(picture)
