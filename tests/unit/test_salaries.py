"""Pay: fields of every source, sentences of descriptions, and amounts that are no pay."""

from __future__ import annotations

import pytest

from nextstep.processors.shared.money import read_number
from nextstep.processors.shared.salary import salary_in_field, salary_in_text, salary_of

Pay = tuple[float | None, float | None, str, str]

FIELDS: list[tuple[str, Pay]] = [
    ("23400 to 29250 per year", (23400, 29250, "", "year")),
    ("35000 - 40000", (35000, 40000, "", "year")),
    ("35000-73000", (35000, 73000, "", "year")),
    ("6.50 per hour", (6.5, 6.5, "", "hour")),
    ("8 to 8 per hour", (8, 8, "", "hour")),
    ("20,036 to 26,320 per year", (20036, 26320, "", "year")),
    ("25000.00 to 35000.00 per year", (25000, 35000, "", "year")),
    ("7.46 plus enhancements to 9.25 per hour", (7.46, 9.25, "", "hour")),
    ("20000 - 30000/annum 20-30K", (20000, 30000, "", "year")),
    ("20000 - 30000/annum plus car allow / plus commission", (20000, 30000, "", "year")),
    ("25000/annum c25k", (25000, 25000, "", "year")),
    ("37000/annum 37K to 47K + benefits", (37000, 47000, "", "year")),
    ("15000 - 25000/annum 15-25k basic, OTE year 1 28 - 25k", (15000, 25000, "", "year")),
    ("to 8.50 per hour", (None, 8.5, "", "hour")),
    ("$7.00 to $7.13 per hour", (7, 7.13, "USD", "hour")),
    ("From 26,000 to 27,000 per annum live-in available", (26000, 27000, "", "year")),
    ("Up to 65000 UK Pounds/year", (None, 65000, "GBP", "year")),
    ("Up to 20k", (None, 20000, "", "year")),
    ("55k to 65K per year", (55000, 65000, "", "year")),
    ("Basic salary of 20,000 plus profit bonus", (20000, 20000, "", "year")),
    ("16.00ph to 22.00ph per hour", (16, 22, "", "hour")),
    ("50K-60K + 120K OTE", (50000, 60000, "", "year")),
    ("15 - 20/hour + Dep. on exp", (15, 20, "", "hour")),
    ("20.00 - 27.00 GBP Hourly", (20, 27, "GBP", "hour")),
    ("10,000+", (10000, None, "", "year")),
    ("Up to 45,000 per year + 35000.00-45000.00", (35000, 45000, "", "year")),
    ("12.03 per hour to 12.44 per hour per year", (12.03, 12.44, "", "hour")),
    ("From 21,000 to 24,000 per annum + 3k Bonus", (21000, 24000, "", "year")),
    ("350 to 450 per week", (350, 450, "", "week")),
    ("0-30000", (None, 30000, "", "year")),
    ("17-20", (17, 20, "", "hour")),
    ("1000-1000", (1000, 1000, "", "")),
    ("$54K-$92K (Glassdoor est.)", (54000, 92000, "USD", "year")),
    ("Employer Provided Salary:$120K-$140K", (120000, 140000, "USD", "year")),
    ("$21-$34 Per Hour(Glassdoor est.)", (21, 34, "USD", "hour")),
    ("$5000.0to$7000.0Monthly", (5000, 7000, "USD", "month")),
    ("$100000.0to$120000.0Annually", (100000, 120000, "USD", "year")),
    ("6-8 LPA", (600000, 800000, "INR", "year")),
    ("₹6,00,000 - ₹8,00,000 per annum", (600000, 800000, "INR", "year")),
    ("12 lakhs per annum", (1200000, 1200000, "INR", "year")),
    ("€65k", (65000, 65000, "EUR", "year")),
    ("65K€", (65000, 65000, "EUR", "year")),
    ("CHF 120’000", (120000, 120000, "CHF", "year")),
    ("CHF90-110k", (90000, 110000, "CHF", "year")),
    ("£30k-£40k pa", (30000, 40000, "GBP", "year")),
    ("£450 per day", (450, 450, "GBP", "day")),
    ("£18.50ph", (18.5, 18.5, "GBP", "hour")),
    ("€3.500 bruto per maand", (3500, 3500, "EUR", "month")),
    ("EUR 52.500", (52500, 52500, "EUR", "year")),
    ("30-35k€", (30000, 35000, "EUR", "year")),
    ("50.000€ - 65.000€", (50000, 65000, "EUR", "year")),
    ("45 000 - 55 000 EUR", (45000, 55000, "EUR", "year")),
    ("$60k DOE", (60000, 60000, "USD", "year")),
    ("$120-150,000", (120000, 150000, "USD", "year")),
    ("SGD 5,000 - 7,000 / month", (5000, 7000, "SGD", "month")),
    ("US$120,000.00/yr - US$150,000.00/yr", (120000, 150000, "USD", "year")),
    ("From £25,000", (25000, None, "GBP", "year")),
    ("*11.22 per hour (Level 2 Coach)", (11.22, 11.22, "", "hour")),
    ("Basic to 115,000 + excellent bonus", (None, 115000, "", "year")),
    ("40k - 45k", (40000, 45000, "", "year")),
]  # fmt: skip

SENTENCES: list[tuple[str, Pay]] = [
    ("The base pay range for this role is USD $98,300 - $193,200 per year.",
     (98300, 193200, "USD", "year")),
    ("The base pay ranges from $125,500/year in our lowest geographic market up to "
     "$212,800/year in our highest.", (125500, 212800, "USD", "year")),
    ("Salary: £45,000–£50,000 per annum", (45000, 50000, "GBP", "year")),
    ("Bruto maandsalaris tussen de €4.000,- en €5.500,-", (4000, 5500, "EUR", "month")),
    ("RETRIBUCIÓN: entre 25.000€ y 27.000€ brutos anuales + 500€ Bolsa Formación",
     (25000, 27000, "EUR", "year")),
    ("Rémunération: à partir de 45000,00€ par an", (45000, None, "EUR", "year")),
    ("RAL : fino a 45/48k + buoni pasto da 7€ tutti i giorni", (45000, 48000, "", "year")),
    ("Pay: $70-$80/hr", (70, 80, "USD", "hour")),
    ("Daily Rate: 350€-400€", (350, 400, "EUR", "day")),
    ("Compensation of CHF 1500 to CHF 3000 per month", (1500, 3000, "CHF", "month")),
    ("Salary Range:\n$52,000 - $78,520 Annual", (52000, 78520, "USD", "year")),
    ("Salary up to €60k\nTravel allowance", (None, 60000, "EUR", "year")),
    ("Einen Stundenlohn von 16 Euro zum Einstieg", (16, 16, "EUR", "hour")),
    ("Data Analyst | £250/ day (Outside IR35)", (250, 250, "GBP", "day")),
    ("Pay Ranges\nLevel 2 - $90,000 - $120,000", (90000, 120000, "USD", "year")),
    ("Salary: Up to £40,000 + bonus + package", (None, 40000, "GBP", "year")),
    ("You will be guaranteed a 25k-40k salary.", (25000, 40000, "", "year")),
    ("Senior Engineer | $140k - $200k | San Francisco", (140000, 200000, "USD", "year")),
]  # fmt: skip

NO_PAY = [
    "Competitive", "Negotiable", "Salary ****K", "DOE", "", "100% commission",
    "2021-12-25 00:00:00",
]  # fmt: skip

NO_PAY_TEXT = [
    "We just raised $5M from investors.",
    "We have raised over $135 million to date.",
    "A $500 referral bonus for each friend.",
    "$10,000 sign on bonus & $10,000 student loan forgiveness",
    "Monthly internet stipend and a one-time $500 home office stipend.",
    "Learning & Development yearly budget of 1,000 €",
    "€ 5000,- opleidingsbudget",
    "We have a 401k with 4 % match. 401 k, dental and vision.",
    "Siemens Canada had revenues of approx. $2.2 billion.",
    "£120 of our products per year, discounted",
    "Ticket Restaurant 7.5€",
    "Managing $19.7 billion of other people's money",
    "Salary is competitive. Posted 2024-09-12, apply before 2024-09-22.",
    "Horario de 9:00 a 18:00h de Lunes a Jueves; el salario se hablará.",
    "R$1.260 por mês de vale alimentação",
    "We offer equity worth $50,000 in stock options.",
    "The salary is paid 14 times a year to our 5,000 employees.",
    "must read at a rate of 120 to 215 words per minute",
    "team of 10 - 15 engineers",
    "Founded in 2015 with offices in 20 - 30 cities",
]


def pay(found: object) -> Pay:
    return (found.min, found.max, found.currency, found.period)  # type: ignore[attr-defined]


@pytest.mark.req("N-37")
@pytest.mark.parametrize(("raw", "expected"), FIELDS, ids=[raw for raw, _ in FIELDS])
def test_a_salary_field_is_read(raw: str, expected: Pay) -> None:
    found = salary_in_field(raw)
    assert pay(found) == expected
    assert found.source == "salary"
    assert [raw[s.start : s.end] for s in found.spans] == [s.snippet for s in found.spans]


@pytest.mark.parametrize("raw", NO_PAY)
def test_a_field_without_an_amount_stays_empty(raw: str) -> None:
    assert pay(salary_in_field(raw)) == (None, None, "", "")


@pytest.mark.req("N-37")
@pytest.mark.parametrize(("text", "expected"), SENTENCES, ids=[text[:40] for text, _ in SENTENCES])
def test_a_sentence_about_pay_is_read(text: str, expected: Pay) -> None:
    found = salary_in_text(text)
    assert pay(found) == expected
    assert [text[s.start : s.end] for s in found.spans] == [s.snippet for s in found.spans]


@pytest.mark.parametrize("text", NO_PAY_TEXT)
def test_other_amounts_are_no_pay(text: str) -> None:
    assert pay(salary_in_text(text)) == (None, None, "", "")


@pytest.mark.parametrize(
    ("country", "currency"),
    [("SG", "SGD"), ("CA", "CAD"), ("AU", "AUD"), ("US", "USD"), ("", "USD")],
)
def test_a_dollar_is_that_of_the_country(country: str, currency: str) -> None:
    assert salary_in_field("$5000 - $7000 per month", country).currency == currency


def test_a_bare_number_gets_no_currency_from_the_country() -> None:
    assert salary_in_field("25000 to 35000 per year", "GB").currency == ""


def test_the_structured_field_wins_over_the_description() -> None:
    found = salary_of("£30k", "Salary: £50,000 per annum")
    assert (found.min, found.source) == (30000, "salary")
    assert salary_of("Competitive", "Salary: £50,000 per annum").min == 50000


def test_a_title_may_hold_the_pay() -> None:
    found = salary_of("", "", "DE", "Data Analyst - €75 hourly (Tableau) - freelance")
    assert pay(found) == (75, 75, "EUR", "hour")


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("45,000.00", 45000), ("45.000,00", 45000), ("6,00,000", 600000), ("14,5", 14.5),
        ("1.500", 1500), ("12.50", 12.5), ("120’000", 120000), ("35 000", 35000), ("7", 7),
    ],
)  # fmt: skip
def test_numbers_are_read_as_written_in_any_country(written: str, value: float) -> None:
    assert read_number(written) == value
