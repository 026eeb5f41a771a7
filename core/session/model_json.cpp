// ModelInfo as JSON, for sessions and for the command line.
#include <algorithm>
#include <limits>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/base/json.h"
#include "core/session/session.h"

namespace tandem {
namespace {

using nlohmann::json;

json layer_json(const LayerInfo& layer) {
  return {{"mixer", mixer_kind_name(layer.mixer)},
          {"nheads", layer.nheads},
          {"nheads_kv", layer.nheads_kv},
          {"headdim", layer.headdim},
          {"dstate", layer.dstate},
          {"cache_bytes_per_token", layer.cache_bytes_per_token},
          {"state_bytes", layer.state_bytes}};
}

/// A field that counts something.
Status read_count(const JsonFields& fields, const char* name, std::int64_t& value) {
  TANDEM_TRY(value, fields.integer(name, 0, std::numeric_limits<std::int64_t>::max()));
  return {};
}

Result<LayerInfo> read_layer(const JsonFields& fields) {
  LayerInfo layer;
  TANDEM_TRY(const std::string mixer, fields.text("mixer"));
  const auto kind = std::find_if(kMixerKinds.begin(), kMixerKinds.end(),
                                 [&mixer](MixerKind k) { return mixer == mixer_kind_name(k); });
  if (kind == kMixerKinds.end()) return fields.wrong("mixer", "the name of a kind of mixer");
  layer.mixer = *kind;
  TANDEM_RETURN_IF_ERROR(read_count(fields, "nheads", layer.nheads));
  TANDEM_RETURN_IF_ERROR(read_count(fields, "nheads_kv", layer.nheads_kv));
  TANDEM_RETURN_IF_ERROR(read_count(fields, "headdim", layer.headdim));
  TANDEM_RETURN_IF_ERROR(read_count(fields, "dstate", layer.dstate));
  TANDEM_RETURN_IF_ERROR(read_count(fields, "cache_bytes_per_token", layer.cache_bytes_per_token));
  TANDEM_RETURN_IF_ERROR(read_count(fields, "state_bytes", layer.state_bytes));
  return layer;
}

}  // namespace

std::string to_json(const ModelInfo& info) {
  json layers = json::array();
  for (const LayerInfo& layer : info.layers) layers.push_back(layer_json(layer));
  const json object = {{"name", info.name},
                       {"family", info.family},
                       {"sha256", info.sha256},
                       {"parameters", info.parameters},
                       {"weight_bytes", info.weight_bytes},
                       {"vocab", info.vocab},
                       {"is_verifier", info.is_verifier},
                       {"d_model", info.d_model},
                       {"d_ff", info.d_ff},
                       {"max_context", info.max_context},
                       {"eos_ids", info.eos_ids},
                       {"cache_bytes_per_token", info.cache_bytes_per_token()},
                       {"state_bytes", info.state_bytes()},
                       {"layers", std::move(layers)}};
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<ModelInfo> model_info(const SessionModel& model) {
  const std::string where = fmt::format("the stored description of model '{}'", model.name);
  TANDEM_TRY(const json object, parse_json_object(model.info_json, where));
  ModelInfo info;
  info.name = model.name;
  info.family = model.family;
  info.path = model.path;
  info.sha256 = model.sha256;
  info.config_json = model.config_json;
  const JsonFields fields(object, where);
  TANDEM_RETURN_IF_ERROR(read_count(fields, "parameters", info.parameters));
  TANDEM_RETURN_IF_ERROR(read_count(fields, "weight_bytes", info.weight_bytes));
  TANDEM_RETURN_IF_ERROR(read_count(fields, "vocab", info.vocab));
  TANDEM_TRY(info.is_verifier, fields.boolean("is_verifier", false));
  TANDEM_RETURN_IF_ERROR(read_count(fields, "d_model", info.d_model));
  TANDEM_RETURN_IF_ERROR(read_count(fields, "d_ff", info.d_ff));
  TANDEM_RETURN_IF_ERROR(read_count(fields, "max_context", info.max_context));
  TANDEM_TRY(const json* layers, fields.array("layers"));
  for (const json& layer : *layers) {
    const std::string layer_where = fmt::format("{}, layer {}", where, info.layers.size());
    TANDEM_TRY(info.layers.emplace_back(), read_layer(JsonFields(layer, layer_where)));
  }
  TANDEM_TRY(const json* eos_ids, fields.array("eos_ids"));
  for (const json& id : *eos_ids) {
    if (!id.is_number_integer()) return fields.wrong("eos_ids", "token ids");
    info.eos_ids.push_back(id.get<std::int32_t>());
  }
  return info;
}

}  // namespace tandem
