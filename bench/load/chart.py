"""Draws the bars of docs/bench.svg, for light pages and dark ones."""

from xml.sax.saxutils import escape

# Two columns of groups; a group is a title and its bars.
COLUMN = 400
GUTTER = 24
LABEL = 112
FIGURE = 40
BAR = 13
GAP = 4
HEAD = 30

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

Group = tuple[str, list[tuple[str, float]]]


def draw(groups: list[Group], about: dict[str, str]) -> str:
    """Groups of bars, each on a scale of its own: title, and names with microseconds."""
    heading = "The server's time on a core for one operation, in microseconds: less is better"
    shapes = [text(0, 16, heading, "title")]
    y = 16
    for pair in range(0, len(groups), 2):
        ends = []
        for column, group in enumerate(groups[pair : pair + 2]):
            drawn, end = bars(group, column * (COLUMN + GUTTER), y + HEAD)
            shapes += drawn
            ends.append(end)
        y = max(ends)
    notes = [
        f"duplex {about['duplex']}, uWebSockets.js {about['uws']}, Bun {about['bun']}, Deno {about['deno']}, "
        f"ws {about['ws']} on Node.js {about['node']}. Bare epoll is what the kernel costs.",
        f"{about['date']}; {about['cores']} cores of {about['cpu']}, Linux {about['kernel']}.",
    ]
    for note in notes:
        y += 20
        shapes.append(text(0, y, note, "note"))
    body = "\n".join(shapes)
    width = 2 * COLUMN + GUTTER
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-8 -4 {width + 16} {y + 16}" role="img" '
        f'aria-label="Bars of the time that servers take for one operation">\n'
        f"<style>{STYLE}</style>\n{body}\n</svg>\n"
    )


def bars(group: Group, x: float, y: float) -> tuple[list[str], float]:
    """The shapes of a group whose title is at (x, y), and where it ends."""
    title, values = group
    shapes = [text(x, y, title, "title")]
    y += 8
    most = max(value for _, value in values)
    for name, value in values:
        length = max(1.0, value / most * (COLUMN - LABEL - FIGURE))
        kind = "own" if name.startswith("duplex") else "floor" if name.startswith("bare") else "bar"
        left = x + LABEL
        shapes.append(text(left - 8, y + 11, name, anchor="end"))
        shapes.append(f'<rect class="{kind}" x="{left}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2"/>')
        shapes.append(text(left + length + 6, y + 11, figure(value), "note"))
        y += BAR + GAP
    return shapes, y


def text(x: float, y: float, content: str, kind: str = "", anchor: str = "start") -> str:
    klass = f' class="{kind}"' if kind else ""
    return f'<text{klass} x="{x:.1f}" y="{y}" text-anchor="{anchor}">{escape(content)}</text>'


def figure(value: float) -> str:
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"
