// ModelInfo as JSON, for sessions and for the command line.
#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/session/session.h"

namespace tandem {
namespace {

using nlohmann::json;

constexpr std::array kMixerKinds = {MixerKind::Attention, MixerKind::DiscreteMamba2, MixerKind::HybridMamba2};

json layer_json(const LayerInfo& layer) {
  return {{"mixer", mixer_kind_name(layer.mixer)},
          {"nheads", layer.nheads},
          {"nheads_kv", layer.nheads_kv},
          {"headdim", layer.headdim},
          {"dstate", layer.dstate},
          {"cache_bytes_per_token", layer.cache_bytes_per_token},
          {"state_bytes", layer.state_bytes}};
}

/// Reads fields of one object; remembers the first that is missing or of another type.
class Fields {
 public:
  Fields(const json& object, std::string where) : object_(object), where_(std::move(where)) {}

  void read(const char* name, std::int64_t& value) {
    if (const json* field = find(name, &json::is_number_integer)) value = field->get<std::int64_t>();
  }
  void read(const char* name, std::string& value) {
    if (const json* field = find(name, &json::is_string)) value = field->get<std::string>();
  }
  const json* array(const char* name) { return find(name, &json::is_array); }

  void refuse(const char* name) {
    if (status_)
      status_ = Error{ErrorCode::BadFormat,
                      fmt::format("{}: field '{}' is missing or not of its type", where_, name)};
  }
  const Status& status() const { return status_; }

 private:
  const json* find(const char* name, bool (json::*is_type)() const noexcept) {
    const auto field = object_.find(name);
    if (field != object_.end() && ((*field).*is_type)()) return &*field;
    refuse(name);
    return nullptr;
  }

  const json& object_;
  std::string where_;
  Status status_;
};

LayerInfo read_layer(Fields& fields) {
  LayerInfo layer;
  std::string mixer;
  fields.read("mixer", mixer);
  const auto kind = std::find_if(kMixerKinds.begin(), kMixerKinds.end(),
                                 [&mixer](MixerKind k) { return mixer == mixer_kind_name(k); });
  if (kind == kMixerKinds.end()) {
    fields.refuse("mixer");
  } else {
    layer.mixer = *kind;
  }
  fields.read("nheads", layer.nheads);
  fields.read("nheads_kv", layer.nheads_kv);
  fields.read("headdim", layer.headdim);
  fields.read("dstate", layer.dstate);
  fields.read("cache_bytes_per_token", layer.cache_bytes_per_token);
  fields.read("state_bytes", layer.state_bytes);
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
                       {"d_model", info.d_model},
                       {"d_ff", info.d_ff},
                       {"max_context", info.max_context},
                       {"cache_bytes_per_token", info.cache_bytes_per_token()},
                       {"state_bytes", info.state_bytes()},
                       {"layers", std::move(layers)}};
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<ModelInfo> model_info(const SessionModel& model) {
  const std::string where = fmt::format("the stored description of model '{}'", model.name);
  const json object = json::parse(model.info_json, nullptr, false);
  if (!object.is_object()) return Error{ErrorCode::BadFormat, where + " is not a JSON object"};
  ModelInfo info;
  info.name = model.name;
  info.family = model.family;
  info.path = model.path;
  info.sha256 = model.sha256;
  info.config_json = model.config_json;
  Fields fields(object, where);
  fields.read("parameters", info.parameters);
  fields.read("weight_bytes", info.weight_bytes);
  fields.read("vocab", info.vocab);
  fields.read("d_model", info.d_model);
  fields.read("d_ff", info.d_ff);
  fields.read("max_context", info.max_context);
  if (const json* layers = fields.array("layers")) {
    for (const json& layer : *layers) {
      Fields layer_fields(layer, fmt::format("{}, layer {}", where, info.layers.size()));
      info.layers.push_back(read_layer(layer_fields));
      TANDEM_RETURN_IF_ERROR(layer_fields.status());
    }
  }
  TANDEM_RETURN_IF_ERROR(fields.status());
  return info;
}

}  // namespace tandem
