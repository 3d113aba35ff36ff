"""Charts as SVG: bars that compare, and lines that grow. No library; readable on light and dark pages."""

import html
import math

COLOURS = {"tagway": "#2f81f7", "nginx": "#8b949e", "haproxy": "#d29922"}
OTHERS = ["#2f81f7", "#d29922", "#3fb950", "#a371f7"]


def number(value):
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def document(width, height, title, body, note):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="system-ui, sans-serif" '
            f'font-size="13" role="img" aria-label="{html.escape(title)}">\n'
            f'<rect width="{width}" height="{height}" fill="#ffffff"/>\n<g fill="#1f2328">\n'
            f'<text x="16" y="26" font-size="16" font-weight="600">{html.escape(title)}</text>\n'
            + "\n".join(body)
            + f'\n<text x="16" y="{height - 12}" font-size="11" fill="#656d76">{html.escape(note)}</text>\n</g>\n</svg>\n')


def bars(title, groups, note):
    """`groups`: [(label, unit, [(series, value), ...])]; each group has its own scale, named by its longest bar."""
    # 8 px a letter hold the widest of the fonts that system-ui stands for.
    left = 28 + 8 * max(len(label) for label, _, _ in groups)
    width, right, y, body = left + 550, 90, 50, []
    for label, unit, values in groups:
        largest = max(value for _, value in values) or 1
        body.append(f'<text x="{left - 12}" y="{y + 9 + 9 * len(values)}" text-anchor="end">{html.escape(label)}</text>')
        for series, value in values:
            length = (width - left - right) * value / largest
            body.append(f'<rect x="{left}" y="{y}" width="{max(1, length):.1f}" height="15" rx="2" '
                        f'fill="{COLOURS.get(series, "#3fb950")}"/>')
            body.append(f'<text x="{left + length + 6:.1f}" y="{y + 12}" font-size="12">{number(value)} {html.escape(unit)}</text>')
            y += 19
        y += 13
    names = list(dict.fromkeys(series for _, _, values in groups for series, _ in values))
    for index, series in enumerate(names):
        x = left + 110 * index
        body.append(f'<rect x="{x}" y="{y}" width="12" height="12" rx="2" fill="{COLOURS.get(series, "#3fb950")}"/>')
        body.append(f'<text x="{x + 18}" y="{y + 11}">{html.escape(series)}</text>')
    return document(width, y + 50, title, body, note)


def size(value):
    return f"{value // 2**20}M" if value >= 2**20 else f"{value // 1024}K" if value >= 4096 else f"{value}"


def lines(title, panels, note):
    """`panels`: [(title, x label, y label, {series: [(x, y), ...]})], two in a row; x is logarithmic, y begins at 0."""
    columns, size_x, size_y, body = 2, 380, 250, []
    for index, (name, x_label, y_label, series) in enumerate(panels):
        ox, oy = index % columns * size_x + 62, index // columns * size_y + 70
        w, h = size_x - 92, size_y - 96
        points = [p for values in series.values() for p in values]
        if not points:
            continue
        low, high = math.log(min(x for x, _ in points)), math.log(max(x for x, _ in points))
        top = max(y for _, y in points) * 1.1 or 1
        body.append(f'<text x="{ox}" y="{oy - 12}" font-weight="600">{html.escape(name)}</text>')
        body.append(f'<path d="M{ox} {oy}v{h}h{w}" fill="none" stroke="#8b949e"/>')
        for part in (0.5, 1):
            value = top / 1.1 * part
            y = oy + h - h * value / top
            body.append(f'<text x="{ox - 6}" y="{y + 4:.1f}" text-anchor="end" font-size="11">{number(value)}</text>')
            body.append(f'<path d="M{ox} {y:.1f}h{w}" stroke="#d0d7de" stroke-dasharray="2 3"/>')
        xs = sorted({x for x, _ in points})
        for x in xs if len(xs) <= 7 else xs[::2]:
            px = ox + w * ((math.log(x) - low) / (high - low or 1))
            label = size(x) if x_label == "bytes" else f"{x:,}"
            body.append(f'<text x="{px:.1f}" y="{oy + h + 15}" text-anchor="middle" font-size="11">{label}</text>')
        body.append(f'<text x="{ox + w / 2}" y="{oy + h + 31}" text-anchor="middle" font-size="11">{html.escape(x_label)}</text>')
        body.append(f'<text x="{ox - 46}" y="{oy + h / 2}" font-size="11" text-anchor="middle" '
                    f'transform="rotate(-90 {ox - 46} {oy + h / 2})">{html.escape(y_label)}</text>')
        for number_, (series_name, values) in enumerate(series.items()):
            colour = COLOURS.get(series_name, OTHERS[number_ % len(OTHERS)])
            path = " ".join(f"{ox + w * ((math.log(x) - low) / (high - low or 1)):.1f},{oy + h - h * y / top:.1f}"
                            for x, y in values)
            body.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
            if len(series) > 1:
                body.append(f'<text x="{ox + 8 + 90 * number_}" y="{oy + 8}" font-size="11" fill="{colour}">{html.escape(series_name)}</text>')
    rows = (len(panels) + columns - 1) // columns
    return document(columns * size_x, rows * size_y + 84, title, body, note)
