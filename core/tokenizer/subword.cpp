#include "core/tokenizer/subword.h"

#include <queue>
#include <tuple>
#include <utility>

#include "core/tokenizer/byte_level.h"

namespace tandem {

void WordLevel::encode(std::string_view piece, std::vector<std::int32_t>& ids) const {
  ids.push_back(id_of(piece).value_or(unknown_));
}

BytePairEncoding::BytePairEncoding(TokenMap tokens, Settings settings)
    : SubwordModel(std::move(tokens)), settings_(std::move(settings)), byte_ids_(256) {
  for (std::size_t byte = 0; byte < 256; ++byte) {
    const char text = static_cast<char>(byte);
    byte_ids_[byte] = id_of({&text, 1}).value_or(-1);
  }
}

/// A token of a piece on its way to its final form; joined ones leave a dead symbol behind.
struct BytePairEncoding::Symbol {
  std::int32_t id = 0;
  std::int32_t previous = -1;  // positions of the living neighbours, -1 at the ends
  std::int32_t next = -1;
};

std::vector<BytePairEncoding::Symbol> BytePairEncoding::symbols_of(std::string_view piece) const {
  std::vector<Symbol> symbols;
  symbols.reserve(piece.size());
  bool after_unknown = false;
  for (const char byte : piece) {
    std::int32_t id = byte_ids_[static_cast<unsigned char>(byte)];
    const bool unknown = id < 0;
    if (unknown) {
      if (!settings_.unknown || (settings_.fuse_unknown && after_unknown)) continue;
      id = *settings_.unknown;
    }
    after_unknown = unknown;
    const auto position = static_cast<std::int32_t>(symbols.size());
    symbols.push_back({id, position - 1, position + 1});
  }
  if (!symbols.empty()) symbols.back().next = -1;
  return symbols;
}

void BytePairEncoding::encode(std::string_view piece, std::vector<std::int32_t>& ids) const {
  if (settings_.whole_pieces) {
    if (const auto id = id_of(piece)) {
      ids.push_back(*id);
      return;
    }
  }
  std::vector<Symbol> symbols = symbols_of(piece);
  struct Candidate {
    Merge merge;
    std::int32_t position = 0;                      // of the left symbol
    std::uint64_t pair = 0;                         // to see whether the two symbols are still what they were
    bool operator<(const Candidate& other) const {  // the queue gives the greatest first
      return std::tie(merge.rank, position) > std::tie(other.merge.rank, other.position);
    }
  };
  std::priority_queue<Candidate> queue;
  const auto pair_at = [&](std::int32_t position) {
    const Symbol& left = symbols[static_cast<std::size_t>(position)];
    return pair(left.id, symbols[static_cast<std::size_t>(left.next)].id);
  };
  const auto propose = [&](std::int32_t position) {
    if (position < 0 || symbols[static_cast<std::size_t>(position)].next < 0) return;
    const std::uint64_t key = pair_at(position);
    if (const auto found = settings_.merges.find(key); found != settings_.merges.end())
      queue.push({found->second, position, key});
  };
  for (std::int32_t i = 0; i < static_cast<std::int32_t>(symbols.size()); ++i) propose(i);
  while (!queue.empty()) {
    const Candidate best = queue.top();
    queue.pop();
    Symbol& left = symbols[static_cast<std::size_t>(best.position)];
    if (left.id < 0 || left.next < 0 || pair_at(best.position) != best.pair) continue;
    Symbol& right = symbols[static_cast<std::size_t>(left.next)];
    left.id = best.merge.id;
    right.id = -1;
    left.next = right.next;
    if (left.next >= 0) symbols[static_cast<std::size_t>(left.next)].previous = best.position;
    propose(left.previous);
    propose(best.position);
  }
  for (const Symbol& symbol : symbols)
    if (symbol.id >= 0) ids.push_back(symbol.id);
}

MergeTable::MergeTable(const TokenMap& tokens, std::size_t expected) : tokens_(tokens) {
  merges_.reserve(expected);
}

std::int32_t MergeTable::id_of(std::string_view bytes) const {
  const auto found = tokens_.find(bytes);
  return found == tokens_.end() ? -1 : found->second;
}

bool MergeTable::add(std::string_view left, std::string_view right) {
  auto joined = bytes_of_byte_level(left);
  const auto second = bytes_of_byte_level(right);
  if (!joined || !second) return false;
  const std::int32_t left_id = id_of(*joined);
  const std::int32_t right_id = id_of(*second);
  const std::int32_t joined_id = id_of(joined->append(*second));
  if (left_id < 0 || right_id < 0 || joined_id < 0) return false;
  merges_.insert_or_assign(BytePairEncoding::pair(left_id, right_id),
                           BytePairEncoding::Merge{rank_++, joined_id});
  return true;
}

std::pair<std::string_view, std::string_view> split_merge(std::string_view merge) {
  const std::size_t space = merge.find(' ');
  if (space == std::string_view::npos) return {};
  return {merge.substr(0, space), merge.substr(space + 1)};
}

}  // namespace tandem
