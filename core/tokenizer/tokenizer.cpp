#include "core/tokenizer/tokenizer.h"

namespace tandem {

std::string StreamDecoder::push(std::int32_t id) {
  const std::string bytes = tokenizer_->bytes_after(previous_, id);
  if (!bytes.empty()) previous_ = id;
  return repair_.push(bytes);
}

std::string StreamDecoder::finish() {
  return repair_.finish();
}

}  // namespace tandem
