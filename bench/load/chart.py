"""Draws the bars of docs/bench.svg, for light pages and dark ones."""

from xml.sax.saxutils import escape

WIDTH = 760
LABEL = 150
BAR = 15
GAP = 5
HEAD = 34

STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #1f2328 }
  .title { font-weight: 600 }
  .note { fill: #59636e }
  .bar { fill: #b6bfc9 }
  .own { fill: #0b7285 }
  .floor { fill: none; stroke: #8c959f; stroke-dasharray: 3 2 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .note { fill: #9198a1 }
    .bar { fill: #4b535d }
    .own { fill: #3bc9db }
    .floor { stroke: #6e7681 }
  }
"""


def draw(groups: list[tuple[str, list[tuple[str, float]]]], about: dict[str, str]) -> str:
    """Groups of bars, each on a scale of its own: title, and names with microseconds."""
    shapes = []
    y = 24
    shapes.append(text(0, y, "The server's time on a core for one operation, in microseconds: less is better", "title"))
    for title, values in groups:
        y += HEAD
        shapes.append(text(0, y, title, "title"))
        y += 8
        most = max(value for _, value in values)
        for name, value in values:
            length = max(1.0, value / most * (WIDTH - LABEL - 70))
            kind = "own" if name.startswith("duplex") else "floor" if name.startswith("bare") else "bar"
            shapes.append(text(LABEL - 8, y + 12, name, anchor="end"))
            shapes.append(f'<rect class="{kind}" x="{LABEL}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2"/>')
            shapes.append(text(LABEL + length + 6, y + 12, figure(value), "note"))
            y += BAR + GAP
    y += 20
    versions = f"Bun {about['bun']}, Deno {about['deno']}, uWebSockets.js {about['uws']}, ws {about['ws']}"
    shapes.append(text(0, y, f"{about['date']}; {about['cpu']}, Linux {about['kernel']}; {versions}", "note"))
    body = "\n".join(shapes)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-8 0 {WIDTH + 16} {y + 14}" role="img" '
        f'aria-label="Bars of the time that servers take for one operation">\n'
        f"<style>{STYLE}</style>\n{body}\n</svg>\n"
    )


def text(x: float, y: float, content: str, kind: str = "", anchor: str = "start") -> str:
    klass = f' class="{kind}"' if kind else ""
    return f'<text{klass} x="{x:.1f}" y="{y}" text-anchor="{anchor}">{escape(content)}</text>'


def figure(value: float) -> str:
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"
