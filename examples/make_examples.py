"""Regenerate the binary examples next to this file: same bytes every time, with the locked package versions.

Run: python examples/make_examples.py
"""

from __future__ import annotations

import datetime as dt
import io
import zipfile
from pathlib import Path

import numpy as np
import pypdfium2 as pdfium
from docx import Document
from docx.shared import Cm
from PIL import Image, ImageFilter
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle, getSampleStyleSheet
from reportlab.lib.units import cm
from reportlab.platypus import ListFlowable, PageBreak, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

HERE = Path(__file__).parent
STYLES = getSampleStyleSheet()
BODY = ParagraphStyle("body", parent=STYLES["BodyText"], fontName="Times-Roman", fontSize=11.5, leading=15.5)
GRID = TableStyle(
    [
        ("GRID", (0, 0), (-1, -1), 0.6, colors.black),
        ("FONTNAME", (0, 0), (-1, 0), "Helvetica-Bold"),
        ("FONTSIZE", (0, 0), (-1, -1), 10.5),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 5),
        ("TOPPADDING", (0, 0), (-1, -1), 5),
    ]
)


def pdf(title: str, pages: list[list[object]]) -> bytes:
    """Lay out pages of ('h1', text), ('h2', text), paragraphs, lists and tables as an A4 PDF."""
    flow: list[object] = []
    for number, blocks in enumerate(pages):
        if number:
            flow.append(PageBreak())
        for block in blocks:
            if isinstance(block, tuple):
                flow.append(Paragraph(block[1], STYLES["Heading1" if block[0] == "h1" else "Heading2"]))
            elif isinstance(block, dict):
                rows = [Paragraph(row, BODY) for row in block["steps"]]
                flow.append(ListFlowable(rows, bulletType="1"))
            elif isinstance(block, list):
                flow += [Table(block, style=GRID, hAlign="LEFT"), Spacer(1, 0.35 * cm)]
            else:
                flow += [Paragraph(str(block), BODY), Spacer(1, 0.2 * cm)]
    out = io.BytesIO()
    SimpleDocTemplate(
        out, pagesize=A4, title=title, author="Wrenfield Glasshouse", invariant=1,
        leftMargin=2.3 * cm, rightMargin=2.3 * cm, topMargin=2.2 * cm, bottomMargin=2.2 * cm,
    ).build(flow, onFirstPage=_footer, onLaterPages=_footer)  # fmt: skip
    return out.getvalue()


def _footer(canvas: object, doc: SimpleDocTemplate) -> None:
    canvas.setFont("Helvetica", 9)
    canvas.drawString(2.3 * cm, 1.2 * cm, f"{doc.title}, page {doc.page}")


def raster(data: bytes, dpi: int) -> list[Image.Image]:
    """Render every page in grey."""
    document = pdfium.PdfDocument(data)
    return [page.render(scale=dpi / 72).to_pil().convert("L") for page in document]


MANUAL = [
    [
        ("h1", "Climate and irrigation manual"),
        "This manual describes the climate computer, the heating and the irrigation of the three houses of Wrenfield "
        "Glasshouse. It replaces the manual of 2021. The staff handbook says who does what; this manual says what the "
        "machines do and which values are set.",
        ("h2", "1. Overview"),
        "The climate computer hangs in the boiler room. It reads six temperature sensors, two in each house, and the "
        "weather mast on the roof of the Shop House, once a minute. It controls the roof vents, the thermal screen of "
        "the North House, the boiler and both circulation pumps.",
        "The boiler burns natural gas and delivers 320 kilowatts. Hot water runs through rails on the floor of the North "
        "House and the Long House. The Shop House has one fan heater, which hangs above the till.",
        ("h2", "2. Circulation pumps"),
        "Pump 1 and pump 2 are of the model BW-45 by Brackwater Pumps. Each moves 4.5 cubic metres of water an hour at "
        "full speed. In normal weather pump 1 feeds the Long House and pump 2 feeds the North House. When it freezes, or "
        "when one pump stops, the valve between the two circuits opens and the remaining pump feeds both houses.",
        "Below an outdoor temperature of minus 6 degrees both pumps are needed at full speed.",
    ],
    [
        ("h2", "3. Temperatures"),
        "The following values are set. Only the grower in charge of a house changes them, and writes the change in the "
        "book beside the computer.",
        [
            ["House", "Day", "Night", "Vents open at", "Alarm below"],
            ["North House", "21 °C", "16 °C", "25 °C", "13 °C"],
            ["Long House", "18 °C", "12 °C", "23 °C", "8 °C"],
            ["Shop House", "17 °C", "7 °C", "24 °C", "3 °C"],
        ],
        "The climate alarm sounds when either sensor of a house stays below its alarm temperature for five minutes. Pepper "
        "seedlings stop growing below 13 degrees and are lost after about two hours below 9 degrees.",
        ("h2", "4. Thermal screen"),
        "The thermal screen of the North House closes by itself at sunset when it is colder than 5 degrees outside. It "
        "opens in steps of ten per cent in the morning, so that cold air does not fall on the seedlings all at once. When "
        "there is more than ten centimetres of snow on the roof, the screen stays open, because the snow must melt and "
        "slide off the glass.",
        ("h2", "5. Back-up heater"),
        "The back-up heater burns propane and delivers 40 kilowatts. It keeps the North House above 9 degrees down to an "
        "outdoor temperature of minus 10 degrees. It does not heat the Long House.",
    ],
    [
        ("h2", "6. Irrigation"),
        "Rain water from the roofs is stored in a basin of 180 cubic metres. The basin lasts about five weeks in a dry "
        "summer. Below a level of 30 cubic metres the system changes over to tap water, which is harder: the feed must "
        "then be acidified to a pH of 5.8.",
        "The ebb-and-flow benches of the Long House fill to three centimetres, stand for eight minutes and drain within "
        "twelve minutes. A bench that drains more slowly has a blocked filter; rinse the filter before the next round.",
        [
            ["Crop", "Rounds a day, summer", "Rounds a day, winter", "Feed (EC)"],
            ["Basil", "3", "1", "1.8 mS/cm"],
            ["Parsley", "2", "1", "1.6 mS/cm"],
            ["Mint", "3", "1", "1.7 mS/cm"],
            ["Thyme", "1", "1 every second day", "1.2 mS/cm"],
        ],
        ("h2", "7. Water quality"),
        "Measure pH and EC every Monday. Every quarter a sample goes to the laboratory. If the laboratory finds Pythium, "
        "the ultraviolet lamp in the return pipe is replaced and all benches are emptied and scrubbed.",
        "The ultraviolet lamp lasts 9,000 hours. The counter is on the grey box behind the basin.",
    ],
    [
        ("h2", "8. Faults and what they mean"),
        [
            ["Code", "Meaning", "What to do"],
            ["E04", "Sensor does not answer", "Check the plug; use the other sensor"],
            ["E11", "Vent motor blocked", "Remove ice or branches; never force the motor"],
            ["E17", "Pump flow below 3.5 m³/h", "Check filter and shaft seal; reduce speed"],
            ["E23", "Boiler flame lost", "Reset once; then call the heating engineer"],
            ["E30", "Basin below 30 m³", "Change to tap water; acidify the feed"],
        ],
        "A code stays on the display until it is acknowledged. Acknowledging a code does not mend the fault.",
        ("h2", "9. Maintenance"),
        "The boiler is serviced every September. The pumps are inspected every year by an independent inspector and their "
        "shaft seals are replaced every four years or when they leak. The vent motors are greased in October.",
        {
            "steps": [
                "Switch the pump off at the panel and hang the red tag on the switch.",
                "Close both valves and let the pump cool for two hours.",
                "Drain the pump into the floor gully.",
                "After the work, bleed the air from the circuit and note the flow at full speed.",
            ]
        },
    ],
]

INSPECTION = [
    [
        ("h1", "Inspection report: circulation pumps"),
        "Client: Wrenfield Glasshouse, Mill Dyke 7, Wrenfield. Place: boiler room. Date of inspection: 28 September 2026. "
        "Inspector: Hendrik Sallow, Fenmark Inspections. Report number: FI-2026-0391.",
        ("h2", "Findings"),
        "Pump 1 is in good order. Measured flow at full speed is 4.4 cubic metres an hour. No leak was seen and the bearing "
        "runs quietly. The next inspection of pump 1 is due in September 2027.",
        "Pump 2 is not in good order. The shaft seal leaks 0.4 litres an hour. Measured flow at full speed is 3.1 cubic "
        "metres an hour, against 4.5 when new. The rear bearing is noisy and its housing reaches 71 degrees.",
        [
            ["Measurement", "Pump 1", "Pump 2", "Limit"],
            ["Flow at full speed", "4.4 m3/h", "3.1 m3/h", "min. 3.5"],
            ["Leak at shaft seal", "none", "0.4 l/h", "none"],
            ["Bearing temperature", "46 C", "71 C", "max. 65"],
            ["Vibration", "1.9 mm/s", "5.2 mm/s", "max. 4.5"],
        ],
        "The leak has reached the cable tray below the pump. The tray was dry inside, but must be kept under observation.",
    ],
    [
        ("h2", "Advice"),
        "1. Replace the shaft seal and the rear bearing of pump 2 before 1 November 2026.",
        "2. Until then, run pump 2 at no more than 60 per cent of full speed, and look at the leak every day.",
        "3. Clean the filter in front of pump 2. It was one third blocked by lime.",
        "4. Fit a drip tray between pump 2 and the cable tray.",
        ("h2", "Conclusion"),
        "Pump 1 is approved until 30 September 2027. Pump 2 is approved on condition that the advice above is followed. The "
        "approval of pump 2 ends on 1 November 2026 if the seal and the bearing have not been replaced.",
        "Signed in Wrenfield on 1 October 2026, H. Sallow, inspector.",
    ],
]

NOTICE = [
    [
        ("h1", "FROST WATCH: ROTA FOR OCTOBER AND NOVEMBER 2026"),
        "From 20:00 to 07:00. Duty telephone: extension 42.",
        "Week 43: Oda Castellane from Monday to Thursday, Tobias Linnemark from Friday to Sunday.",
        "Week 44: Jonna Freywald from Monday to Thursday, Ilse Varnhagen from Friday to Sunday.",
        "Week 45: Tobias Linnemark from Monday to Thursday, Ruben Achterveld from Friday to Sunday.",
        "Week 46: Ruben Achterveld from Monday to Thursday, Jonna Freywald from Friday to Sunday.",
        "Week 47: Ilse Varnhagen from Monday to Thursday, Oda Castellane from Friday to Sunday.",
        "You cannot come? Swap with a colleague and write the swap on this sheet before noon.",
        "Before you start: check that both propane cylinders are open, that the louvre of the boiler room moves freely, and "
        "that the telephone is charged.",
        "The key of the boiler room is behind the fire plan. The spare torch is in the first drawer of the potting bench.",
        "Heating engineer at night: extension 77.",
    ]
]


def scan(page: Image.Image, seed: int, degrees: float) -> Image.Image:
    """Make a page look like it went through an office scanner: askew, grey paper, specks."""
    rng = np.random.default_rng(seed)
    turned = page.rotate(degrees, resample=Image.Resampling.BICUBIC, fillcolor=255)
    grey = np.asarray(turned, dtype=np.float32) * 0.86 + 22
    grey += rng.normal(0, 5, grey.shape).astype(np.float32)
    for y, x in rng.integers((0, 0), (grey.shape[0] - 3, grey.shape[1] - 3), (220, 2)):
        grey[y : y + 2, x : x + 2] = 70
    image = Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8))
    return image.filter(ImageFilter.GaussianBlur(0.5))


def scanned_pdf(pages: list[Image.Image]) -> bytes:
    out = io.BytesIO()
    moment = dt.datetime(2026, 10, 1, tzinfo=dt.UTC).timetuple()
    pages[0].save(out, "PDF", save_all=True, append_images=pages[1:], resolution=200, quality=55,
                  creationDate=moment, modDate=moment)  # fmt: skip
    return out.getvalue()


def photograph(page: Image.Image, seed: int) -> Image.Image:
    """Make a page look photographed: perspective, a dark table around it, light from one side."""
    rng = np.random.default_rng(seed)
    width, height = page.size
    canvas = Image.new("L", (int(width * 1.12), int(height * 1.1)), 62)
    corners = [(0.08, 0.05), (0.945, 0.035), (0.975, 0.965), (0.035, 0.945)]
    target = [(x * canvas.width, y * canvas.height) for x, y in corners]
    source = [(0, 0), (width, 0), (width, height), (0, height)]
    coefficients = _perspective(target, source)
    sheet = page.transform(canvas.size, Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BICUBIC)
    mask = Image.new("L", page.size, 255).transform(canvas.size, Image.Transform.PERSPECTIVE, coefficients)
    canvas.paste(sheet, mask=mask)
    grey = np.asarray(canvas.filter(ImageFilter.GaussianBlur(0.7)), dtype=np.float32)
    y, x = np.mgrid[0 : grey.shape[0], 0 : grey.shape[1]].astype(np.float32)
    light = 1.0 - 0.42 * (x / grey.shape[1]) ** 1.5 - 0.16 * (y / grey.shape[0])
    grain = rng.normal(0, 2.5, grey.shape).astype(np.float32)
    warm = np.array([1.0, 0.97, 0.9], dtype=np.float32)
    colour = np.clip((grey * light * 0.93 + grain)[..., None] * warm, 0, 255).astype(np.uint8)
    return Image.fromarray(colour).quantize(48, dither=Image.Dither.NONE)


def _perspective(target: list[tuple[float, float]], source: list[tuple[float, float]]) -> list[float]:
    """Solve the eight coefficients that Pillow's PERSPECTIVE transform takes (output to input)."""
    rows, values = [], []
    for (x, y), (u, v) in zip(target, source, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return [float(value) for value in np.linalg.solve(np.array(rows), np.array(values))]


def energy_review() -> bytes:
    document = Document()
    document.core_properties.author = "Oda Castellane"
    document.core_properties.title = "Energy review of the heating season 2025/26"
    for name in ("created", "modified"):
        setattr(document.core_properties, name, dt.datetime(2026, 6, 15, tzinfo=dt.UTC))
    document.sections[0].left_margin = Cm(2.5)
    document.add_heading("Energy review of the heating season 2025/26", 1)
    document.add_paragraph(
        "Written by Oda Castellane for the monthly meeting of June 2026. The season runs from 1 October to 30 April."
    )
    document.add_heading("Gas", 2)
    document.add_paragraph(
        "We burned 41,200 cubic metres of gas, against 52,600 cubic metres in the season before. The winter was about as "
        "cold: 2,310 degree days against 2,290."
    )
    table = document.add_table(rows=1, cols=4)
    table.style = "Light Grid Accent 1"
    rows = [
        ("House", "2024/25 (m³)", "2025/26 (m³)", "Saved (m³)"),
        ("North House", "21,900", "13,800", "8,100"),
        ("Long House", "26,400", "23,700", "2,700"),
        ("Shop House", "4,300", "3,700", "600"),
        ("Together", "52,600", "41,200", "11,400"),
    ]
    for column, text in enumerate(rows[0]):
        table.rows[0].cells[column].text = text
    for row in rows[1:]:
        cells = table.add_row().cells
        for column, text in enumerate(row):
            cells[column].text = text
    document.add_heading("Where the saving comes from", 2)
    document.add_paragraph(
        "The thermal screen in the North House, fitted in September 2025 for 14,600 euros, saved 8,100 cubic metres of gas "
        "in its first season. At 0.78 euros per cubic metre that is 6,318 euros a year, so the screen pays for itself in "
        "2.3 years."
    )
    document.add_paragraph("The rest was saved by three small things:")
    for text in (
        "Door strips between the boiler room and the Long House.",
        "A night temperature of 12 instead of 13 degrees in the Long House.",
        "The Shop House is heated on opening days only.",
    ):
        document.add_paragraph(text, style="List Bullet")
    document.add_heading("Electricity", 2)
    document.add_paragraph(
        "Electricity rose from 18,300 to 19,050 kilowatt hours. The two circulation pumps use 7,900 kilowatt hours of it. "
        "Pump 2 used more than pump 1 although it moved less water; it should be looked at when the pumps are inspected."
    )
    document.add_heading("Proposals", 2)
    for text in (
        "Ask for a quotation for a thermal screen in the Long House. Expected saving: 9,500 cubic metres a year.",
        "Have both pumps inspected in September, before the next season begins.",
        "Replace the remaining sodium lamps in the North House with LED lamps.",
    ):
        document.add_paragraph(text, style="List Number")
    out = io.BytesIO()
    document.save(out)
    return repacked(out.getvalue())


def repacked(data: bytes) -> bytes:
    """Write a zip container again with fixed dates, so that the same content gives the same bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            info = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(info, old.read(name))
    return out.getvalue()


def main() -> None:
    (HERE / "climate-manual.pdf").write_bytes(pdf("Climate and irrigation manual", MANUAL))
    (HERE / "energy-review.docx").write_bytes(energy_review())
    paper = raster(pdf("Inspection report FI-2026-0391", INSPECTION), 200)
    scans = [scan(page, seed, angle) for seed, (page, angle) in enumerate(zip(paper, (1.3, -0.8), strict=True))]
    (HERE / "pump-inspection-scan.pdf").write_bytes(scanned_pdf(scans))
    notice = raster(pdf("Frost watch rota", NOTICE), 170)[0]
    notice = notice.crop((0, 0, notice.width, int(notice.height * 0.62)))
    photograph(notice, seed=7).save(HERE / "frost-rota-photo.png", optimize=True)


if __name__ == "__main__":
    main()
