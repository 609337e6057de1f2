"""What travels from a reading process is what was read there, and its drafts are those that the writer itself would have made."""

from __future__ import annotations

import msgspec
import pytest

from collector.content import ContentPolicy
from collector.export import Answer, Export, Prepared
from collector.infer import Rules
from collector.parcel import packed, unpacked
from collector.preparing import ReadingPolicy, prepare
from ledger.arrivals import Arrivals
from ledger.basis import News, ToldBasis, told_terms
from ledger.draft import EarlyDraft, draft_early
from ledger.memory import Told, WriterMemory
from ledger.packed import PackedRecords
from ledger.terms import CallKind, LeafTerms, Rate, Terms, kind_of
from tests.books import agent, chat, export, plain, tool

POLICY = ReadingPolicy(64 * 1024 * 1024, "default", ContentPolicy())
TRACE = export(agent(1, 1, input=30, output=3), chat(1, 2, 1, cached=7, id="r1", prompt="x\ty\\"), tool(1, 3, 1))
CENTS = "0.010000000000000000000000000000000001"  # more digits than a machine's number has


def read(sent: Export = TRACE, policy: ReadingPolicy = POLICY) -> Prepared:
    result = prepare(sent, policy, Rules.default())
    assert isinstance(result, Prepared)
    return result


def terms(kind: CallKind, rate_usd: str) -> Terms:
    leaves = [name for name in kind[7:] if name is not None]
    rate = Rate.read(7, rate_usd, None, None, 0, 0, 0)
    return Terms(3, 4, 1, 2, tuple(LeafTerms(n, leaf, (rate,)) for n, leaf in enumerate(leaves, 1)), None)


def told(rate_usd: str = CENTS) -> ToldBasis:
    """What a process knows that was told all that the trace takes."""
    kinds = [kind_of(record.call) for record in read().arrivals[0].records if record.call is not None]
    news = News(5, [("default", 9)], [(9, None)], told_terms([(9, kind, terms(kind, rate_usd)) for kind in kinds]))
    basis = ToldBasis()
    basis.take(msgspec.msgpack.decode(msgspec.msgpack.encode(news), type=News))
    return basis


def sent(basis: ToldBasis, what: Export = TRACE, policy: ReadingPolicy = POLICY) -> Arrivals:
    result = unpacked(packed(read(what, policy), basis))
    assert isinstance(result, Prepared)
    [arrivals] = result.arrivals
    return arrivals


def test_what_is_told_is_what_was_remembered() -> None:
    [record] = [record for record in read().arrivals[0].records if record.call is not None]
    assert record.call is not None
    kind = kind_of(record.call)
    assert dict(told().terms_of(9)) == {kind: terms(kind, CENTS)}
    assert terms(kind, CENTS).leaves[0].rates[0].digits == 10**34 + 1


def test_records_are_the_same_with_their_rows_in_the_draft_and_without() -> None:
    expected = read().arrivals[0].records
    drafted, plain = sent(told()), sent(ToldBasis())
    assert isinstance(drafted.draft, EarlyDraft)
    assert plain.draft is None
    for arrivals in (drafted, plain):
        assert isinstance(arrivals.records, PackedRecords)
        assert len(arrivals.records) == 3
        assert list(arrivals.records) == expected
        assert arrivals.records[1:] == expected[1:]


def test_text_that_is_kept_travels_once_and_stays_its_records() -> None:
    """Of three records two have text; of what is not kept nothing travels."""
    policy = msgspec.structs.replace(POLICY, content=ContentPolicy(keep=True))
    trace = export(agent(1, 1), chat(1, 2, 1, cached=7, id="r1", prompt="what?" * 99), plain(1, 3, 1, input__value="that"))
    expected = read(trace, policy).arrivals[0].records
    assert [record.text_row is None for record in expected] == [True, False, False]
    drafted, whole = sent(told(), trace, policy), sent(ToldBasis(), trace, policy)
    assert isinstance(drafted.draft, EarlyDraft)
    assert whole.draft is None
    assert list(drafted.records) == list(whole.records) == expected
    assert packed(read(trace, policy), told()).count(b"what?" * 99) == 1
    assert [record.text_row for record in read(trace).arrivals[0].records] == [None] * 3
    dropped = sent(told(), trace)
    assert isinstance(dropped.draft, EarlyDraft)
    assert len(dropped.draft.draft.texts) == 0


def test_a_draft_is_the_one_that_the_writer_would_make() -> None:
    own = read().arrivals[0]
    draft_early(own, told())
    assert isinstance(own.draft, EarlyDraft)
    assert own.draft.draft.transfers
    assert sent(told()).draft == own.draft


def test_a_sum_too_large_to_travel_is_left_to_the_writer() -> None:
    arrivals = sent(told("10000000"))
    assert arrivals.draft is None
    assert list(arrivals.records) == read().arrivals[0].records


def test_a_refusal_travels_as_it_is() -> None:
    refused = Answer("undecodable", message="no protobuf")
    assert unpacked(packed(refused, ToldBasis())) == refused


@pytest.fixture
def memory() -> WriterMemory:
    """A writer that has posted for one tenant."""
    memory = WriterMemory()
    memory.opened({"a": 1})
    memory.closed({1: None})
    memory.committed()
    return memory


def test_only_what_is_new_is_told(memory: WriterMemory) -> None:
    news, so_far = memory.news(Told())
    assert news is not None
    assert (news.tenants, news.closed_through) == ([("a", 1)], [(1, None)])
    assert memory.news(so_far) == (None, so_far)
    memory.closed({1: None})
    assert memory.news(so_far)[0] is None, "what did not change was told again"
    memory.opened({"b": 2})
    memory.closed({1: 20_000, 2: None})
    memory.committed()
    news, so_far = memory.news(so_far)
    assert news is not None
    assert (news.tenants, news.closed_through) == ([("b", 2)], [(1, 20_000), (2, None)])
    assert memory.news(so_far)[0] is None


def test_a_new_edition_is_told_whole_and_what_was_told_before_forgotten(memory: WriterMemory) -> None:
    basis = told()
    memory.terms.refresh(1)
    news, _ = memory.news(Told(memory.edition - 1, 1, 1, 0))
    assert news is not None
    basis.take(news)
    assert (basis.edition, basis.tenants, dict(basis.terms_of(9))) == (memory.edition, {"a": 1}, {})


def test_no_two_writers_have_one_edition() -> None:
    assert WriterMemory().edition != WriterMemory().edition
