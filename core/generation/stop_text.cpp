#include "core/generation/stop_text.h"

#include <algorithm>
#include <string_view>

namespace tandem {

std::string StopText::push(const std::string& text) {
  if (stopped_) return {};
  text_ += text;
  const std::string_view unsent = std::string_view(text_).substr(emitted_);
  std::size_t stop_at = std::string_view::npos;
  std::size_t held = 0;  // longest end of the text that a stop string begins with
  for (const std::string& stop : stops_) {
    if (stop.empty()) continue;
    stop_at = std::min(stop_at, unsent.find(stop));
    for (std::size_t length = std::min(stop.size() - 1, unsent.size()); length > held; --length)
      if (unsent.ends_with(std::string_view(stop).substr(0, length))) held = length;
  }
  if (stop_at != std::string_view::npos) {
    stopped_ = true;
    text_.resize(emitted_ + stop_at);
    held = 0;
  }
  const std::string certain = text_.substr(emitted_, text_.size() - emitted_ - held);
  emitted_ += certain.size();
  return certain;
}

}  // namespace tandem
