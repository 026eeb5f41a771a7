// Subword models: one piece of text to ids, by byte-level BPE or by looking whole words up.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace tandem {

/// Texts of tokens as keys; they are borrowed from the tokenizer that owns both.
using TokenMap = std::unordered_map<std::string_view, std::int32_t>;

/// Immutable and thread-safe.
class SubwordModel {
 public:
  virtual ~SubwordModel() = default;
  /// Appends the ids of a non-empty piece.
  virtual void encode(std::string_view piece, std::vector<std::int32_t>& ids) const = 0;
  std::optional<std::int32_t> id_of(std::string_view text) const {
    const auto found = tokens_.find(text);
    return found == tokens_.end() ? std::nullopt : std::optional(found->second);
  }

 protected:
  explicit SubwordModel(TokenMap tokens) : tokens_(std::move(tokens)) {}

 private:
  TokenMap tokens_;
};

/// A piece is one token, or the unknown one.
class WordLevel final : public SubwordModel {
 public:
  WordLevel(TokenMap tokens, std::int32_t unknown) : SubwordModel(std::move(tokens)), unknown_(unknown) {}
  void encode(std::string_view piece, std::vector<std::int32_t>& ids) const override;

 private:
  std::int32_t unknown_;
};

/// Byte-pair encoding: a piece starts as single bytes; again and again the adjacent pair of lowest rank is
/// joined, the leftmost of equals first. O(n log n) in the length of a piece.
class BytePairEncoding final : public SubwordModel {
 public:
  struct Merge {
    std::int32_t rank = 0;
    std::int32_t id = 0;  // of the joined token
  };
  static std::uint64_t pair(std::int32_t left, std::int32_t right) {
    return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 |
           static_cast<std::uint32_t>(right);
  }
  struct Settings {
    std::unordered_map<std::uint64_t, Merge> merges;  // by pair()
    bool whole_pieces = false;  // a piece that is a token becomes it, without merging ("ignore_merges")
    std::optional<std::int32_t> unknown;  // for a byte that is no token; none: it is left out
    bool fuse_unknown = false;            // neighbouring unknown bytes become one token
  };
  /// `tokens`: by the bytes they stand for.
  BytePairEncoding(TokenMap tokens, Settings settings);
  void encode(std::string_view piece, std::vector<std::int32_t>& ids) const override;

 private:
  struct Symbol;
  std::vector<Symbol> symbols_of(std::string_view piece) const;
  Settings settings_;
  std::vector<std::int32_t> byte_ids_;  // -1 for a byte that is no token
};

/// The merges of a byte-level vocabulary as files list them, by falling priority.
class MergeTable {
 public:
  using Map = std::unordered_map<std::uint64_t, BytePairEncoding::Merge>;
  /// `tokens`: by the bytes they stand for; borrowed.
  MergeTable(const TokenMap& tokens, std::size_t expected);

  /// The next merge, both sides in the byte-level alphabet. False, and nothing is added, unless both are
  /// tokens and their joined text is one too.
  bool add(std::string_view left, std::string_view right);
  std::int32_t size() const { return rank_; }
  Map take() && { return std::move(merges_); }

 private:
  std::int32_t id_of(std::string_view bytes) const;
  const TokenMap& tokens_;
  Map merges_;
  std::int32_t rank_ = 0;
};

/// What add() refuses, for messages.
inline constexpr std::string_view kMergeWanted =
    "two tokens of the vocabulary whose joined text is a token too";

/// The sides of "left right", cut at the first space; two empty texts where there is none.
std::pair<std::string_view, std::string_view> split_merge(std::string_view merge);

}  // namespace tandem
