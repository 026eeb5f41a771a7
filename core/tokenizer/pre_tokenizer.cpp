#include "core/tokenizer/pre_tokenizer.h"

#include <utility>

namespace tandem {

std::vector<std::string_view> PreTokenizer::split(std::string_view text) const {
  std::vector<std::string_view> pieces;
  if (!text.empty()) pieces.push_back(text);
  std::vector<std::string_view> cut;
  std::vector<Regex::Match> matches;
  for (const Step& step : steps_) {
    cut.clear();
    const auto keep = [&](std::string_view piece, std::size_t begin, std::size_t end) {
      if (begin < end) cut.push_back(piece.substr(begin, end - begin));
    };
    for (const std::string_view piece : pieces) {
      step.regex.find_all(piece, matches);
      std::size_t rest = 0;
      for (const Regex::Match& match : matches) {
        if (step.keep_rest) keep(piece, rest, match.begin);
        if (step.keep_matches) keep(piece, match.begin, match.end);
        rest = match.end;
      }
      if (step.keep_rest) keep(piece, rest, piece.size());
    }
    std::swap(pieces, cut);
  }
  return pieces;
}

}  // namespace tandem
