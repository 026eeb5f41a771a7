#include "core/corpus/bpe_trainer.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/tokenizer/byte_level.h"

namespace tandem::corpus {
namespace {

using nlohmann::ordered_json;

constexpr int kBytes = 256;
// Letters with the space before them, single digits likewise, runs of other characters, white space.
constexpr const char* kPiecePattern = R"('\p{L}+| ?\p{L}+| ?\p{N}| ?[^\s\p{L}\p{N}]+|\s+)";

using Pair = std::pair<std::int32_t, std::int32_t>;

struct Piece {
  std::vector<std::int32_t> ids;
  std::int64_t count = 0;
};

// The pieces as they stand, and for every pair of neighbours how often it occurs and in which pieces.
class Merger {
 public:
  explicit Merger(std::vector<Piece> pieces) : pieces_(std::move(pieces)) {
    for (std::size_t i = 0; i < pieces_.size(); ++i) count_pairs(i, 1);
  }

  /// The most frequent pair; of equals the lowest. Count 0 when there is none.
  std::pair<Pair, std::int64_t> best() const {
    std::pair<Pair, std::int64_t> best{{0, 0}, 0};
    for (const auto& [pair, uses] : pairs_)
      if (uses.count > best.second) best = {pair, uses.count};
    return best;
  }

  void merge(Pair pair, std::int32_t joined) {
    const std::set<std::size_t> where = pairs_[pair].pieces;
    for (std::size_t i : where) {
      count_pairs(i, -1);
      std::vector<std::int32_t>& ids = pieces_[i].ids;
      std::size_t kept = 0;
      for (std::size_t at = 0; at < ids.size(); ++kept) {
        const bool here = at + 1 < ids.size() && Pair{ids[at], ids[at + 1]} == pair;
        ids[kept] = here ? joined : ids[at];
        at += here ? 2 : 1;
      }
      ids.resize(kept);
      count_pairs(i, 1);
    }
  }

 private:
  struct Uses {
    std::int64_t count = 0;
    std::set<std::size_t> pieces;
  };

  void count_pairs(std::size_t piece, int sign) {
    const std::vector<std::int32_t>& ids = pieces_[piece].ids;
    for (std::size_t at = 0; at + 1 < ids.size(); ++at) {
      const Pair pair{ids[at], ids[at + 1]};
      Uses& uses = pairs_[pair];
      uses.count += sign * pieces_[piece].count;
      if (sign > 0)
        uses.pieces.insert(piece);
      else
        uses.pieces.erase(piece);
      if (uses.pieces.empty() && uses.count == 0) pairs_.erase(pair);
    }
  }

  std::vector<Piece> pieces_;
  std::map<Pair, Uses> pairs_;  // in rising order, so that the first of equals is the lowest
};

ordered_json special_entry(const std::string& token, std::size_t id) {
  return {{"id", id},        {"content", token},    {"single_word", false}, {"lstrip", false},
          {"rstrip", false}, {"normalized", false}, {"special", true}};
}

ordered_json frame() {
  ordered_json file;
  file["version"] = "1.0";
  file["truncation"] = nullptr;
  file["padding"] = nullptr;
  file["added_tokens"] = ordered_json::array();
  file["normalizer"] = nullptr;
  file["pre_tokenizer"] = {
      {"type", "Sequence"},
      {"pretokenizers",
       {{{"type", "Split"},
         {"pattern", {{"Regex", kPiecePattern}}},
         {"behavior", "Isolated"},
         {"invert", false}},
        {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", false}}}}};
  file["post_processor"] = nullptr;
  file["decoder"] = {
      {"type", "ByteLevel"}, {"add_prefix_space", true}, {"trim_offsets", true}, {"use_regex", true}};
  file["model"] = {{"type", "BPE"},
                   {"dropout", nullptr},
                   {"unk_token", nullptr},
                   {"continuing_subword_prefix", nullptr},
                   {"end_of_word_suffix", nullptr},
                   {"fuse_unk", false},
                   {"byte_fallback", false},
                   {"ignore_merges", false}};
  return file;
}

}  // namespace

struct BpeTrainer::Counts {
  struct Hash {
    using is_transparent = void;  // look pieces up without copying them
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  std::unordered_map<std::string, std::int64_t, Hash, std::equal_to<>> pieces;
};

Status check_options(const BpeOptions& options) {
  const auto least = kBytes + static_cast<std::int64_t>(options.special_tokens.size());
  if (options.vocab >= least && options.vocab <= 1 << 20) return {};
  return Error{ErrorCode::InvalidArgument,
               fmt::format("a vocabulary of {} tokens was asked for, wanted {} (the bytes and the special "
                           "tokens) to {}",
                           options.vocab, least, 1 << 20)};
}

BpeTrainer::BpeTrainer()
    : pre_tokenizer_({{*Regex::compile(kPiecePattern)}}), counts_(std::make_unique<Counts>()) {}

BpeTrainer::~BpeTrainer() = default;

void BpeTrainer::add(std::string_view text) {
  for (std::string_view piece : pre_tokenizer_.split(text)) {
    const auto found = counts_->pieces.find(piece);
    if (found != counts_->pieces.end())
      ++found->second;
    else
      counts_->pieces.emplace(piece, 1);
  }
}

TrainedTokenizer BpeTrainer::train(const BpeOptions& options) const {
  TANDEM_CHECK(check_options(options).ok(), "the options were not checked");
  const auto specials = static_cast<std::int32_t>(options.special_tokens.size());
  std::vector<std::string> spelling;  // of the tokens after the specials, byte-level
  for (int byte = 0; byte < kBytes; ++byte)
    spelling.push_back(byte_level_of_bytes(std::string(1, static_cast<char>(byte))));

  // In a fixed order, whatever the order of the texts was.
  const std::map<std::string_view, std::int64_t> sorted(counts_->pieces.begin(), counts_->pieces.end());
  std::vector<Piece> pieces;
  for (const auto& [text, count] : sorted) {
    Piece piece{{}, count};
    for (char c : text) piece.ids.push_back(static_cast<unsigned char>(c));
    pieces.push_back(std::move(piece));
  }
  Merger merger(std::move(pieces));
  ordered_json merges = ordered_json::array();
  while (static_cast<std::int64_t>(spelling.size()) + specials < options.vocab) {
    const auto [pair, count] = merger.best();
    if (count < std::max<std::int64_t>(options.least_count, 1)) break;
    const std::string left = spelling[static_cast<std::size_t>(pair.first)];
    const std::string right = spelling[static_cast<std::size_t>(pair.second)];
    merger.merge(pair, static_cast<std::int32_t>(spelling.size()));
    merges.push_back(left + ' ' + right);
    spelling.push_back(left + right);
  }

  ordered_json file = frame();
  ordered_json vocab = ordered_json::object();
  for (std::size_t id = 0; id < options.special_tokens.size(); ++id) {
    file["added_tokens"].push_back(special_entry(options.special_tokens[id], id));
    vocab[options.special_tokens[id]] = id;
  }
  for (std::size_t i = 0; i < spelling.size(); ++i) vocab[spelling[i]] = i + options.special_tokens.size();
  file["model"]["vocab"] = std::move(vocab);
  file["model"]["merges"] = std::move(merges);
  return {file.dump(1) + "\n", static_cast<std::int64_t>(spelling.size()) + specials};
}

}  // namespace tandem::corpus
