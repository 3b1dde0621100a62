"""Sentences with what in them is personal data, by hand: to measure how often the search errs.

``§kind:…§`` marks what should be found. The numbers are published examples or were made up; they belong to nobody.
Hard ones are among them on purpose: written so that only a person sees it, or so that it looks like data and is none.
"""

# ruff: noqa: RUF001 - characters that look like others are what some of the examples are about
from __future__ import annotations

import re
from typing import NamedTuple

MARK = re.compile(r"§([a-z-]+):([^§]+)§")


class Example(NamedTuple):
    """A text, whose national numbers are looked for in it, and what should be found."""

    text: str
    regions: tuple[str, ...]
    wanted: frozenset[tuple[str, str]]


MARKED: tuple[tuple[str, tuple[str, ...]], ...] = (
    # English
    ("Please write to §email:anna.schmidt+shop@example.co.uk§, thanks.", ()),
    ("My mail is <§email:bob@example.com§>; (§email:carol_9@mail.example.org§) works too.", ()),
    ("Call me at §phone:+1 415-555-2671§ or §phone:+44 20 7946 0958§.", ()),
    ("You can reach the office under §phone:(415) 555-2671§ until five.", ("US",)),
    ("Ring §phone:020 7946 0958§ before noon", ("GB",)),
    ("I paid with §card:4111 1111 1111 1111§ exp 12/27.", ()),
    ("Amex §card:378282246310005§ was declined, Mastercard §card:5555-5555-5555-4444§ was not.", ()),
    ("Send it to §iban:GB82 WEST 1234 5698 7654 32§, reference 88213.", ()),
    ("The request came from §ip:203.0.113.77§ and §ip:2001:db8:85a3::8a2e:370:7334§.", ()),
    ("NHS number §national-id:943 476 5919§ is on the letter.", ("GB",)),
    ("Her SIN is §national-id:123-456-782§.", ("CA",)),
    ("anna at example dot org is how she spells §email:it@example.org§", ()),
    # German
    ("Bitte überweisen Sie auf §iban:DE89 3704 0044 0532 0130 00§ bis Freitag.", ()),
    ("Rückruf erbeten: §phone:+49 (0)170 1234567§, Grüße, Jörg", ()),
    ("Meine Nummer ist §phone:0170 1234567§.", ("DE",)),
    ("Steuer-ID §national-id:36 574 261 809§ liegt bei.", ("DE",)),
    ("Mail an §email:jörg@müller.example§ oder §email:info@example.de§!", ()),
    ("AHV-Nummer §national-id:756.9217.0769.85§ (Schweiz)", ()),
    ("SV-Nr. §national-id:1237 010180§, geboren 01.01.1980", ("AT",)),
    # French
    ("Mon numéro de sécu : §national-id:2 95 10 99 126 111 93§.", ()),
    ("Appelez le §phone:01 42 68 53 00§ ou le §phone:+33 6 12 34 56 78§.", ("FR",)),
    ("Virement sur §iban:FR14 2004 1010 0505 0001 3M02 606§ s'il vous plaît", ()),
    ("Écrivez à §email:hélène@exemple.example§", ()),
    # Spanish, Portuguese, Italian
    ("Mi DNI es §national-id:54362315K§ y mi NIE era §national-id:X2482300W§.", ("ES",)),
    ("Llámame al §phone:+34 612 34 56 78§", ()),
    ("Llámame al §phone:612 345 678§ por la tarde", ("ES",)),
    ("Meu CPF é §national-id:390.533.447-05§ e moro em Recife.", ()),
    ("CPF §national-id:39053344705§", ("BR",)),
    ("Codice fiscale: §national-id:RCCMNL83S18D969H§", ()),
    ("Mi CURP: §national-id:BOXW310820HNERXN09§", ()),
    ("IBAN §iban:IT60X0542811101000000123456§", ()),
    # Dutch, Belgian, Nordic
    ("BSN §national-id:111222333§ staat op het formulier", ("NL",)),
    ("Rekening §iban:NL91 ABNA 0417 1643 00§", ()),
    ("Rijksregisternummer §national-id:85.07.30-033.28§", ()),
    ("Personnummer §national-id:880320-0016§", ("SE",)),
    ("Henkilötunnus §national-id:131052-308T§", ()),
    ("Fødselsnummer §national-id:151086 95088§", ("NO",)),
    # Slavic, Turkish, Greek
    ("Мой телефон §phone:+7 912 345-67-89§, почта §email:ivan@example.ru§.", ()),
    ("Звоните §phone:8 (912) 345-67-89§ после шести", ("RU",)),
    ("Mój PESEL to §national-id:44051401359§, a konto §iban:PL61 1090 1014 0000 0712 1981 2874§.", ("PL",)),
    ("Rodné číslo §national-id:710319/2745§", ("CZ",)),
    ("TC kimlik no: §national-id:17291716060§", ("TR",)),
    ("Γράψτε στο §email:νίκος@παράδειγμα.ελ§ ή §email:nikos@example.gr§", ()),
    # Chinese, Japanese, Korean, Hindi, Arabic, Hebrew
    ("请联系张三zhang3@example.com谢谢".replace("zhang3@example.com", "§email:zhang3@example.com§"), ()),
    ("我的身份证号是§national-id:360426199101010071§，请保密。", ()),
    ("手机号§phone:13800138000§有空打给我", ("CN",)),
    ("卡号§card:6222021234567890128§已过期", ()),
    ("電話は§phone:090-1234-5678§です。", ("JP",)),
    ("メールは§email:ｔａｒｏ@example.jp§まで", ()),
    ("주민등록번호 §national-id:971013-9019902§ 입니다", ("KR",)),
    ("전화 §phone:010-2345-6789§", ("KR",)),
    ("आधार §national-id:2341 2341 2346§ और फ़ोन §phone:+91 98765 43210§", ("IN",)),
    ("رقم هاتفي §phone:+٩٦٦ ٥٠ ١٢٣ ٤٥٦٧§ شكرا", ()),
    ("الحساب §iban:SA03 8000 0000 6080 1016 7519§", ()),
    ("הטלפון שלי §phone:050-234-5678§ תודה", ("IL",)),
    # What only people see, or only with more knowledge: known to be missed
    ("My number is four one five, five five five, two six seven one.", ()),
    ("Write to anna (at) example (dot) org", ()),
    ("Office: §phone:0170 1234567§, no country is named by the project", ()),
    ("Card §card:4111.1111.1111.1111§ with dots", ()),
    ("SSN §national-id:536-90-4399§ has no checksum", ("US",)),
    ("IP §ip:192[.]0[.]2[.]44§ as analysts write it", ()),
    # What looks like data and is none
    ("Order 4111111111111112 was shipped.", ()),
    ("Tracking 1Z999AA10123456784, parcel 00340434161094015902.", ("DE", "US")),
    ("ISBN 978-3-16-148410-0 and EAN 4006381333931.", ("DE",)),
    ("Version 10.4.2.1 and firmware 2.0.0.13 are affected; update to v1.2.3.4.", ()),
    ("It ran from 2026-11-26 12:30:45 to 2026-11-27 08:15:00.", ("DE", "US")),
    ("Invoice 2026-000123 of 01.02.2026 over 1,234,567.89 EUR.", ("DE",)),
    ("Follow @anna and @bob_9 for news; cost 5 @ 3.20 each.", ()),
    ("std::vector<int> a::b, localhost 127.0.0.1, ::1 and 0.0.0.0.", ()),
    ("Coordinates 52.520008, 13.404954; population 3645000.", ("DE",)),
    ("π is 3.14159265358979, e is 2.718281828459045.", ()),
    ("UUID 0198c2f4-7a3b-7c11-9d2e-1234567890ab, hash 9e107d9d372bb6826bd81d3542a419d6.", ("US",)),
    ("Serial 1234567890123456 and 0000 0000 0000 0000.", ()),
    ("Room 101, 2nd floor, 12345 Berlin, § 14.2.1.3 BGB.", ("DE",)),
    ("Ergebnis 3:2, 17:45 Uhr, Aktenzeichen 12 O 345/26.", ("DE",)),
    ("Der Preis stieg von 1.299.000 auf 1.450.500 Euro in 2024/2025.", ("DE",)),
    ("Le dossier n° 2024 11 07 0042 est clos.", ("FR",)),
    ("商品编号 20261126000123，共 3 件，价格 1299 元。", ("CN",)),
    ("注文番号 1234-5678-90 は発送済みです", ("JP",)),
    ("git clone ssh://example.org/repo.git at commit 5f2c1d0", ()),
    ("Batch 10000000000, model A1234567B, size 30x40x50.", ("NL", "ES")),
    ("Gewicht 123456782 g, Charge 111222334", ("NL",)),
    ("Ref 36574261808, kein Steuermerkmal", ("DE",)),
    ("Ticket #4929123 opened 3 times, priority 2.", ("US", "GB")),
    ("The chapter 192.168.1 does not exist, nor does 300.1.2.3.", ()),
    ("Router 999.10.10.10 and mask 255.255.255.255.", ()),
    ("He scored 100 200 300 400 500 600 points.", ("US",)),
    ("Session 17291716061 expired.", ("TR",)),
)


def examples() -> list[Example]:
    """Return the sentences without their marks."""
    return [Example(MARK.sub(r"\2", marked), regions, frozenset(MARK.findall(marked))) for marked, regions in MARKED]
