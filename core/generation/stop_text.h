// The text of a completion as it streams, cut at the first stop string. Text that could begin a stop string
// is held back.
#pragma once

#include <string>
#include <vector>

namespace tandem {

class StopText {
 public:
  explicit StopText(std::vector<std::string> stops) : stops_(std::move(stops)) {}

  /// Adds decoded text; returns what became certain not to belong to a stop string.
  std::string push(const std::string& text);
  /// True once a stop string was seen; further text is ignored.
  bool stopped() const { return stopped_; }
  /// The whole text, without the stop string and what follows it.
  const std::string& finish() const { return text_; }

 private:
  std::vector<std::string> stops_;
  std::string text_;
  std::size_t emitted_ = 0;
  bool stopped_ = false;
};

}  // namespace tandem
