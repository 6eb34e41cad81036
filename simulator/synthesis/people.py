"""Synthetic Hong Kong people with the four major keys: HKID, name in English, date of birth, sex.

A name comes as the identity card has it: romanised, and in the Chinese characters that were romanised. The
tables below pair the two. A syllable is romanised alike for many characters, so one of them is drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType
from typing import Final, TypeVar

from faker.generator import Generator
from faker.providers import BaseProvider

from simulator.rules import hkid

_T = TypeVar("_T")
Characters = Mapping[str, tuple[str, ...]]
"""Romanised words, each with the Chinese characters that it may stand for."""

SYNTHETIC_PREFIXES: Final = ("Q", "QX")
"""The HKID prefixes of synthetic people. That they mark a number as made up is this simulator's own rule."""

NAME_LIMIT: Final = 40
"""Characters of the name on an identity card, surname and given name together with the space between them."""


def _characters(table: Mapping[str, str]) -> Characters:
    return MappingProxyType({romanised: tuple(options.split()) for romanised, options in table.items()})


# fmt: off
# Romanised as people in Hong Kong write their own names, by ear and by custom; no other scheme is followed.
# Common as they are, 誠 and 錦 are left out: in GB18030 their second byte is 5CH, which is no backslash there
# (PS3.5 6.1.2.3) and yet is counted as one by widespread checkers. A study in which it stands needs to be meant.
SURNAMES: Final = _characters({
    "AU": "區", "AU YEUNG": "歐陽", "CHAN": "陳", "CHAU": "周", "CHENG": "鄭", "CHEUK": "卓", "CHEUNG": "張 章",
    "CHIU": "趙", "CHOI": "蔡", "CHOW": "周", "CHU": "朱", "CHUI": "徐 崔", "CHUNG": "鍾", "FAN": "范", "FOK": "霍",
    "FONG": "方", "FU": "傅", "FUNG": "馮", "HAU": "侯", "HO": "何", "HON": "韓", "HUI": "許", "HUNG": "洪 孔",
    "IP": "葉", "KAM": "甘", "KAN": "簡", "KO": "高", "KONG": "江", "KU": "顧 古", "KUNG": "龔", "KWAN": "關",
    "KWOK": "郭", "LAI": "黎 賴", "LAM": "林", "LAU": "劉 柳", "LAW": "羅", "LEE": "李", "LEUNG": "梁", "LI": "李",
    "LIU": "廖", "LO": "羅 盧", "LUI": "呂 雷", "LUK": "陸", "LUNG": "龍", "MA": "馬", "MAK": "麥", "MAN": "文",
    "MOK": "莫", "MUI": "梅", "NG": "吳 伍", "NGAI": "魏", "NGAN": "顏", "OR": "柯", "PANG": "彭", "POON": "潘",
    "SHEK": "石", "SHUM": "沈 岑", "SIN": "冼", "SIT": "薛", "SIU": "蕭", "SO": "蘇", "SUEN": "孫", "SUNG": "宋",
    "SZETO": "司徒", "TAI": "戴", "TAM": "譚", "TANG": "鄧", "TING": "丁", "TO": "杜", "TONG": "唐 湯", "TSANG": "曾",
    "TSE": "謝", "TSO": "曹", "TSUI": "徐 崔", "TUNG": "董", "WAI": "韋", "WAN": "溫 尹", "WAT": "屈",
    "WONG": "黃 王 汪", "WU": "胡", "YAM": "任", "YAN": "甄", "YAU": "邱 丘", "YEUNG": "楊", "YICK": "易", "YIM": "嚴",
    "YIP": "葉", "YIU": "姚", "YU": "余 于 俞", "YUEN": "袁 阮", "YUNG": "容 翁",
})
SYLLABLES: Final = _characters({
    "CHAK": "澤", "CHEUK": "卓", "CHEUNG": "祥 翔 彰 章", "CHI": "志 智 芝 慈", "CHING": "靜 菁 晴 程 正",
    "CHIU": "超 昭", "CHO": "祖 楚", "CHUN": "俊 駿 春 進 振", "CHUNG": "忠 聰 松 頌", "FAI": "輝 暉", "FONG": "芳",
    "FUK": "福", "FUNG": "鳳 峰 楓 鋒", "HANG": "恒 衡 杏 行", "HAU": "孝 厚", "HEI": "希 曦 熙 喜", "HEUNG": "香",
    "HIN": "軒 顯 憲", "HING": "興 慶 馨", "HIU": "曉", "HO": "浩 豪 灝 好", "HOI": "海 凱 愷", "HON": "漢 翰",
    "HUNG": "雄 洪 鴻 紅", "KA": "家 嘉 加", "KAI": "啟 佳 繼", "KAM": "金 淦", "KEI": "基 琪 紀", "KEUNG": "強",
    "KI": "琪 奇 祺", "KIN": "健 建 堅", "KIT": "傑 潔", "KUEN": "權 娟", "KWAN": "君 均 坤 鈞", "KWOK": "國",
    "KWONG": "光 廣", "LAI": "麗 禮 勵", "LAM": "琳 霖", "LAN": "蘭", "LEUNG": "良 亮", "LING": "玲 凌 齡 靈",
    "LOK": "樂 洛", "LONG": "朗", "LUN": "倫 麟", "MAN": "文 敏 民 雯", "MEI": "美 媚 薇", "MING": "明 銘 鳴",
    "MIU": "妙", "MUI": "梅", "NAM": "南 楠", "NGA": "雅", "NGAN": "銀 顏", "NIN": "年", "OI": "愛", "ON": "安",
    "PAK": "柏 伯", "PIK": "碧 璧", "PING": "平 萍 炳", "PO": "寶 波 保 步", "PUI": "佩 沛 培", "SAU": "秀 修 壽",
    "SHAN": "珊 山", "SHEUNG": "尚 常 嫦", "SHING": "成 城 盛 勝 承 昇", "SHUK": "淑", "SHUN": "信 舜 順",
    "SIU": "小 少 兆 笑", "SUET": "雪", "SUI": "瑞 穗", "SUM": "心 深", "SZE": "詩 思 斯", "TAI": "大 泰", "TAK": "德",
    "TIN": "天 田", "TING": "婷 庭 廷", "TO": "濤 韜", "TSUN": "津 晉 俊", "TSZ": "子 梓 紫 芷", "TUNG": "東 彤 桐",
    "WA": "華", "WAI": "偉 惠 慧 威 維 煒", "WAN": "雲 韻 允", "WING": "永 榮 詠 穎", "YAN": "欣 恩 仁 殷 茵",
    "YAT": "日 逸 一", "YAU": "有 友 佑 柔", "YEE": "怡 儀 宜 兒 以", "YEUNG": "洋 陽", "YIN": "燕 賢 妍 然 彥",
    "YING": "英 瑩 盈 影", "YIU": "耀 瑤 堯", "YU": "宇 如 瑜 茹 羽", "YUEN": "源 婉 媛 遠", "YUET": "月 悅",
    "YUK": "玉 旭 煜 郁", "YUNG": "勇 容 蓉",
})
ENGLISH_NAMES: Final = {
    "F": ("ALICE", "AMY", "CARMEN", "CHRISTINE", "EMILY", "FIONA", "GRACE", "JOYCE", "KAREN", "MAY", "STEPHANIE",
          "VIVIAN", "WINNIE"),
    "M": ("ALAN", "ANDREW", "BENJAMIN", "CHRISTOPHER", "DAVID", "ERIC", "JASON", "KELVIN", "PETER", "RAYMOND",
          "SAMUEL", "TONY", "VINCENT"),
}
# The Traditional characters above whose Simplified form is another one (GB 2312 has no other), and that form of each.
_SIMPLIFIED: Final = str.maketrans(
    "區歐陽陳鄭張趙鍾馮韓許葉簡顧龔關賴劉羅盧呂陸龍馬麥吳顏蕭蘇孫"
    "譚鄧湯謝韋溫黃楊嚴澤靜駿進聰頌輝暉鳳楓鋒軒顯憲興慶曉灝凱愷漢"
    "鴻紅啟繼紀強堅傑潔權鈞國廣麗禮勵蘭齡靈樂倫銘鳴銀愛寶壽勝昇順"
    "詩濤韜晉東華偉維煒雲韻榮詠穎儀兒賢彥瑩瑤堯遠悅",
    "区欧阳陈郑张赵钟冯韩许叶简顾龚关赖刘罗卢吕陆龙马麦吴颜萧苏孙"
    "谭邓汤谢韦温黄杨严泽静骏进聪颂辉晖凤枫锋轩显宪兴庆晓灏凯恺汉"
    "鸿红启继纪强坚杰洁权钧国广丽礼励兰龄灵乐伦铭鸣银爱宝寿胜升顺"
    "诗涛韬晋东华伟维炜云韵荣咏颖仪儿贤彦莹瑶尧远悦",
)
# fmt: on
_OLDEST: Final = date(1930, 1, 1)
_BIRTH_DAYS: Final = (date(2015, 12, 31) - _OLDEST).days


@dataclass(frozen=True, slots=True)
class Person:
    """One synthetic person.

    hkid: canonical, without parentheses (`Q1234563`). name: DICOM PN, alphabetic group only
    (`CHAN^TAI MAN`; PS3.5 6.2). birth_date: `YYYYMMDD`. sex: `M` or `F`; `O` where a person was given, not drawn.
    ideographic: the ideographic group of the same PN in Traditional characters, as Hong Kong writes
    (`陳^大文`; PS3.5 6.2.1.1), empty where there is none. simplified: the same in Simplified characters
    (`陈^大文`), for the character sets that have no others.
    """

    hkid: str
    name: str
    birth_date: str
    sex: str
    ideographic: str = ""
    simplified: str = ""


class HongKongPersonProvider(BaseProvider):
    """Faker provider for Hong Kong people; Faker itself has no Hong Kong locale.

    Every HKID begins with `Q` or `QX`. Those prefixes are the simulator's marking of synthetic people: its own
    convention, not one of the Immigration Department. The rest, check character included, follows the card.

    All draws go through `Random.random()`, whose sequence for a seed is the same in every Python version.
    """

    def hk_person(self) -> Person:
        """Return a person whose keys fit together, the name in characters included."""
        sex = self._one_of("FM")
        number, name, birth_date = self.hkid(), self.hk_name(sex), self._birth_date()
        ideographic = self.hk_ideographic_name(name)
        return Person(number, name, birth_date, sex, ideographic, simplified(ideographic))

    def hkid(self) -> str:
        """Return a canonical HKID of the synthetic prefixes, with its right check character."""
        body = f"{self._one_of(SYNTHETIC_PREFIXES)}{self._below(1_000_000):06d}"
        return f"{body}{hkid.check_character(body)}"

    def hk_name(self, sex: str | None = None) -> str:
        """Return a romanised name as PN, of `NAME_LIMIT` characters at most; one in twenty has no given name.

        sex: `M`, `F`, or None for either; it decides the English given names that half of them have.
        """
        surname = self._one_of(tuple(SURNAMES))
        syllables = tuple(SYLLABLES)
        given = [self._one_of(syllables) for _ in range(1 + (self._below(5) > 0))]
        english = ENGLISH_NAMES[sex or self._one_of("FM")]
        given += [self._one_of(english) for _ in range((0, 0, 1, 2)[self._below(4)])]
        if self._below(20) == 0:
            return surname
        return f"{surname}^{_fitting(dict.fromkeys(given), NAME_LIMIT - len(surname) - 1)}"

    def hk_ideographic_name(self, name: str | None = None) -> str:
        """Return an ideographic group in Traditional characters that `name`, or a new name, romanises.

        name: as `hk_name` gives it; English given names have no characters, and the surname stands alone where
        there is no given name. Raises `ValueError` for words that the tables do not have.
        """
        surname, _, given = (self.hk_name() if name is None else name).partition("^")
        english = {word for names in ENGLISH_NAMES.values() for word in names}
        syllables = [word for word in given.split() if word not in english]
        unknown = [*({surname} - SURNAMES.keys()), *(word for word in syllables if word not in SYLLABLES)]
        if unknown:
            raise ValueError(f"no characters are known for {', '.join(unknown)} in {name}")
        parts = [self._one_of(SURNAMES[surname]), "".join(self._one_of(SYLLABLES[word]) for word in syllables)]
        return "^".join(filter(None, parts))

    def _birth_date(self) -> str:
        return (_OLDEST + timedelta(days=self._below(_BIRTH_DAYS))).strftime("%Y%m%d")

    def _below(self, limit: int) -> int:
        return int(self.generator.random.random() * limit)

    def _one_of(self, options: Sequence[_T]) -> _T:
        return options[self._below(len(options))]


def person(seed: str) -> Person:
    """Return the person that belongs to `seed`: the same one on every machine and Python version."""
    # A bare Generator instead of Faker(): no locale is looked up, and none of its providers is loaded.
    generator = Generator()
    generator.seed_instance(seed)
    return HongKongPersonProvider(generator).hk_person()


def simplified(text: str) -> str:
    """Return `text` with the Traditional characters of the name tables in their Simplified form.

    Characters that no table has stay as they are, Traditional or not.
    """
    return text.translate(_SIMPLIFIED)


def is_synthetic(number: str) -> bool:
    """Tell whether `number`, in any of its spellings, is a valid HKID of the range that marks synthetic people."""
    # Six digits and the check character follow the prefix.
    return hkid.is_valid(number) and hkid.canonical(number)[:-7] in SYNTHETIC_PREFIXES


def _fitting(words: Iterable[str], limit: int) -> str:
    kept = list(words)
    while len(" ".join(kept)) > limit:
        kept.pop()
    return " ".join(kept)
