// Any bytes: a GGUF file is refused, naming it, or its tensors lie in it one after another; its configuration
// and tokenizer are refused or work, and its blocks can be expanded.
#include <cstdint>
#include <set>

#include "core/checkpoint/gguf.h"
#include "core/checkpoint/gguf_llama.h"
#include "core/tokenizer/tokenizer.h"

using namespace tandem;

namespace {

void check_tensors(const GgufFile& file, std::span<const std::byte> bytes) {
  std::uint64_t end = 0;
  std::set<std::string> names;
  for (const GgufTensor& tensor : file.tensors) {
    TANDEM_CHECK(names.insert(tensor.name).second, "names differ");
    TANDEM_CHECK(tensor.begin >= end && tensor.end > tensor.begin && tensor.end <= bytes.size(),
                 "tensors follow each other inside the file");
    end = tensor.end;
    std::int64_t elements = 1;
    for (const std::int64_t extent : tensor.shape) elements *= extent;
    const auto stored = bytes.subspan(tensor.begin, tensor.end - tensor.begin);
    TANDEM_CHECK(block_bytes(tensor.format, elements) == static_cast<std::int64_t>(stored.size()),
                 "bytes fit the shape");
    std::vector<float> values(static_cast<std::size_t>(elements));
    dequantize(tensor.format, stored.data(), elements, values.data());
    (void)has_finite_scales(tensor.format, stored.data(), elements);
  }
}

template <typename T>
void check_error(const Result<T>& result) {
  if (!result) TANDEM_CHECK(result.error().message.starts_with("fuzz.gguf: "), "an error names its file");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const auto file = read_gguf(bytes, "fuzz.gguf");
  check_error(file);
  if (!file) return 0;
  check_tensors(*file, bytes);
  const auto config = read_gguf_config(*file);
  check_error(config);
  if (config)
    TANDEM_CHECK(
        config->nheads % config->nheads_kv == 0 && config->headdim % 2 == 0 && config->vocab_size > 0,
        "heads share keys evenly, dimensions pair");
  const auto tokenizer = read_tokenizer(file->settings);
  check_error(tokenizer);
  if (!tokenizer) return 0;
  for (const std::int32_t id : (*tokenizer)->encode("ab  12\u00E9\xFF <end>", true, true))
    TANDEM_CHECK(id >= 0 && id < (*tokenizer)->vocab_size(), "ids are in range");
  return 0;
}
