// Any texts: a model's configuration is refused, naming its file, or its sizes fit together.
#include <cstdint>

#include "core/checkpoint/model_config.h"

using namespace tandem;

namespace {

constexpr std::string_view kBetweenFiles = "\n---\n";

/// The part of `text` before the next separator; `text` keeps what follows.
std::string next_file(std::string_view& text) {
  const std::size_t at = text.find(kBetweenFiles);
  const std::string file(text.substr(0, at));
  text = at == std::string_view::npos ? std::string_view() : text.substr(at + kBetweenFiles.size());
  return file;
}

bool divides(std::int64_t divisor, std::int64_t value) {
  return divisor > 0 && value > 0 && value % divisor == 0;
}

void check_hybrid(const ModelConfig& config) {
  TANDEM_CHECK(divides(config.d_xb, config.d_inner) && divides(config.d_state, config.d_xb),
               "x and B repeat evenly");
  TANDEM_CHECK(divides(config.dt_rank > 0 ? config.nheads : config.ngroups, config.d_inner),
               "channels divide into heads");
  for (const std::int64_t layer : config.attention_layers)
    TANDEM_CHECK(layer >= 0 && layer < config.n_layers, "kept layers exist");
}

void check(const ModelConfig& config) {
  TANDEM_CHECK(config.vocab_size > 0 && config.d_model > 0 && config.n_layers > 0, "sizes are positive");
  TANDEM_CHECK(config.norm_eps > 0 && config.block_norm_eps > 0, "norms do not divide by zero");
  for (const std::int32_t id : config.eos_ids)
    TANDEM_CHECK(id >= 0 && id < config.vocab_size, "end tokens are in the vocabulary");
  switch (config.family) {
    case ModelFamily::MambaInLlama:
      check_hybrid(config);
      [[fallthrough]];
    case ModelFamily::Llama:
      TANDEM_CHECK(divides(config.nheads_kv, config.nheads) && divides(2, config.headdim),
                   "heads share keys evenly, dimensions pair");
      break;
    case ModelFamily::Mamba2:
      TANDEM_CHECK(divides(config.norm_group, config.d_inner), "norm groups divide the channels");
      [[fallthrough]];
    case ModelFamily::Llamba:
      TANDEM_CHECK(divides(config.n_v_heads, config.d_inner) && divides(config.n_qk_heads, config.n_v_heads),
                   "channels divide into heads, heads into groups");
      break;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  ConfigTexts texts;
  texts.config = next_file(text);
  if (!text.empty()) texts.hybrid = next_file(text);
  if (!text.empty()) texts.generation = next_file(text);
  if (const auto config = parse_model_config(texts)) {
    check(*config);
  } else {
    TANDEM_CHECK(config.error().message.find("config.json: ") != std::string::npos,
                 "an error names its file");
  }
  return 0;
}
