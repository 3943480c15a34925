"""Pools of made-up names for people and companies."""

from __future__ import annotations


def _pool(text: str) -> tuple[str, ...]:
    """The words of a text, which reads and counts better than a list a line."""
    return tuple(text.split())


FIRST_NAMES = _pool(
    "Ada Alan Alice Amir Amy Ana Andre Anna Aria Asha Ben Bianca Bo Bruno Carla Carlos Chen Chloe Clara Dan Daniel "
    "Daria David Deepa Diego Dina Ed Elena Eli Elif Emma Eric Esther Eva Farid Fatima Felix Fiona Finn Gabriel Gina "
    "Grace Greta Hana Hassan Heidi Helen Hugo Ian Ida Ines Ingrid Isaac Ivan Ivy Jack Jana Jane Jason Jin Joan Joel "
    "John Jonas Jorge Jose Julia Kai Karen Kate Kenji Kim Lara Lars Laura Lea Leo Lena Liam Lin Lisa Luca Lucy Luis "
    "Maja Marco Maria Mark Marta Max Maya Mei Mia Milan Mina Mohan Nadia Nina Noah Nora Olga Omar Oscar Pablo Paul "
    "Petra Priya Rafa Raj Rita Rosa Ruth Sam Sara Selma Simon Sofia Sven Tara Theo Tom Uma Vera Victor Wei Yara "
    "Yusuf Zara Zoe"
)
LAST_NAMES = _pool(
    "Abbott Adler Ahmed Alvarez Andersson Arnold Bailey Baker Banerjee Barnes Bauer Becker Bennett Berg Bianchi "
    "Bishop Blake Brandt Brooks Brown Burke Byrne Campbell Carter Castro Chang Chapman Chen Clark Cohen Cole Conti "
    "Cooper Costa Cruz Dalton Davies Delgado Diaz Dixon Doyle Duarte Dubois Duncan Eriksen Evans Farrell Ferrari "
    "Fischer Fleming Foster Fox Fraser Fuchs Garcia Garner Gibson Gomez Graham Grant Greco Green Gupta Haas Hahn "
    "Hall Hansen Harper Harris Hart Hayes Hill Hoffmann Holm Howard Hughes Hunt Ibrahim Iyer Jackson Jain Jansen "
    "Jensen Johansson Jones Jordan Kaplan Kaur Keller Kelly Khan King Klein Koch Kowalski Kumar Lam Lang Larsen Lee "
    "Lehmann Lewis Li Lindberg Lopez Lund Lynch Maier Malik Marino Marsh Martin Mason Mehta Mendez Meyer Miller "
    "Moore Morales Moretti Morgan Moser Muller Murphy Murray Nair Nash Nelson Neumann Nguyen Nielsen Nolan Novak "
    "Olsen Ortiz Owens Page Park Patel Pereira Perez Peters Pham Pohl Porter Powell Quinn Ramos Rao Reed Reid Reyes "
    "Ricci Richter Riley Rivera Robin Rojas Romano Rossi Roth Russo Ryan Santos Sato Saunders Schmidt Schneider "
    "Scholz Scott Shah Sharma Shaw Silva Singh Smith Sokolov Stein Stone Suzuki Svensson Tanaka Taylor Thomas "
    "Torres Tran Turner Vargas Vega Vogel Wagner Walker Wallace Walsh Wang Ward Watson Weber Weiss West White "
    "Wilson Winter Wolf Wong Wood Wright Yamada Yang Yilmaz Young Zhang Zimmer"
)
NICKNAMES = {"Daniel": "Dan", "Gabriel": "Gabe", "Victor": "Vic", "Simon": "Si", "Julia": "Jules", "Helen": "Nell"}
COMPANY_FIRST = _pool(
    "Acorn Alder Amber Anchor Apex Arbor Argon Aspen Atlas Aurora Beacon Birch Blue Bolt Boreal Bright Bronze "
    "Canyon Cardinal Cedar Cinder Clear Cobalt Comet Copper Coral Crest Crown Cypress Dawn Delta Drift Eagle Echo "
    "Ember Everest Falcon Fern Field First Flint Forge Fox Frost Garnet Glacier Golden Granite Green Grove Harbor "
    "Haven Hazel Helix Heron High Horizon Indigo Iron Island Ivory Jade Juniper Keystone Kite Lake Lantern Larch "
    "Laurel Legacy Lime Linden Lotus Lunar Lynx Magnolia Maple Marble Meadow Meridian Mesa Mint Mosaic Noble North "
    "Nova Oak Ocean Olive Onyx Opal Orbit Orchard Orion Osprey Otter Pearl Pebble Pine Pioneer Polar Prairie Prime "
    "Quartz Quill Rain Raven Red Reef Ridge River Robin Rowan Ruby Sage Sail Sand Sequoia Shore Sierra Silver Sky "
    "Slate Solar Sparrow Spring Spruce Star Sterling Stone Storm Summit Sun Swift Tamarack Terra Thistle Tide "
    "Timber Topaz Trail Tulip Vale Vector Velvet Verde Vista Walnut Wave West Willow Wind Winter Wren Yarrow Zenith "
    "Zephyr"
)
COMPANY_SECOND = _pool(
    "bank bay bridge brook byte cast craft dale dock field flow ford forge gate grid grove haven hill hub lab land "
    "leaf line link loop mark mill mind mont path peak pharm pixel point port quest rise rock scale scope shift "
    "side sight span spring stack stone stream tech trade vale ware wave way well wood works yard"
)
COMPANY_THIRD = (
    "Systems",
    "Group",
    "Labs",
    "Partners",
    "Industries",
    "Health",
    "Logistics",
    "Media",
    "Foods",
    "Energy",
    "Networks",
    "Software",
    "Capital",
    "Studios",
    "Motors",
    "Analytics",
    "Retail",
    "Services",
    "Holdings",
)
COMPANY_FORMS = ("Inc", "Ltd", "LLC", "GmbH", "Corp")
