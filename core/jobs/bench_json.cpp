// A benchmark's JSON: what `tandem-cli bench --json` prints and sessions store. Each struct lists its fields
// once, for writing and for reading.
#include <concepts>

#include <nlohmann/json.hpp>

#include "core/base/json.h"
#include "core/jobs/bench.h"

namespace tandem {
namespace {

using Json = nlohmann::ordered_json;

template <typename Visitor, typename T>
void visit_fields(Visitor& field, T& value) requires std::same_as<std::remove_const_t<T>, BenchOptions> {
  field("prompt_tokens", value.prompt_tokens);
  field("generated_tokens", value.generated_tokens);
  field("batches", value.batches);
  field("threads", value.threads);
  field("repeats", value.repeats);
  field("seed", value.seed);
  field.if_there("caches", value.storage.caches);
  field.if_there("states", value.storage.states);
}

template <typename Visitor, typename T>
void visit_fields(Visitor& field, T& value) requires std::same_as<std::remove_const_t<T>, Roofline> {
  field("memory_bytes_per_s", value.memory_bytes_per_s);
  field("cached_bytes_per_s", value.cached_bytes_per_s);
  field("flops_per_s", value.flops_per_s);
  field("bf16_flops_per_s", value.bf16_flops_per_s);
  field("cache_bytes", value.cache_bytes);
}

template <typename Visitor, typename T>
void visit_fields(Visitor& field, T& value) requires std::same_as<std::remove_const_t<T>, BenchBar> {
  field("model", value.model);
  field("variant", value.variant);
  field("batch", value.batch);
  field("tokens_per_s", value.tokens_per_s);
  field("tokens_per_s_min", value.tokens_per_s_min);
  field("tokens_per_s_max", value.tokens_per_s_max);
  field("step_p50_s", value.step_p50_s);
  field("step_p95_s", value.step_p95_s);
  field("prefill_s", value.prefill_s);
  field("first_token_s", value.first_token_s);
  field("processor_share", value.processor_share);
  field("flops_per_token", value.flops_per_token);
  field("bytes_per_step", value.bytes_per_step);
  field("working_set_bytes", value.working_set_bytes);
  field("roofline_tokens_per_s", value.roofline_tokens_per_s);
  field("roofline_share", value.roofline_share);
  field("bound", value.bound);
  field("weight_bytes", value.weight_bytes);
  field("cache_bytes", value.cache_bytes);
  field.if_there("memory_bytes", value.memory_bytes);
  field("skipped", value.skipped);
}

template <typename Visitor, typename T>
void visit_fields(Visitor& field, T& value) requires std::same_as<std::remove_const_t<T>, BenchFit> {
  field("model", value.model);
  field("variant", value.variant);
  field("random_weights", value.random_weights);
  field("weights", value.weights);
  field("parameters", value.parameters);
  field("model_bytes", value.model_bytes);
  field("prompt_bytes", value.prompt_bytes);
  field("completion_bytes", value.completion_bytes);
  field("free_bytes", value.free_bytes);
  field("largest_batch", value.largest_batch);
}

template <typename Visitor, typename T>
void visit_fields(Visitor& field, T& value) requires std::same_as<std::remove_const_t<T>, MemoryPoint> {
  field("model", value.model);
  field("variant", value.variant);
  field("batch", value.batch);
  field("context", value.context);
  field("bytes", value.bytes);
}

template <typename Visitor, typename T>
void visit_fields(Visitor& field, T& value) requires std::same_as<std::remove_const_t<T>, BenchReport> {
  field("device", value.device);
  field("version", value.version);
  field("date_utc", value.date_utc);
  field("options", value.options);
  field("roofline", value.roofline);
  field("bars", value.bars);
  field.if_there("fits", value.fits);
  field("memory", value.memory);
  field("complete", value.complete);
}

class Writer {
 public:
  template <typename T>
  void operator()(const char* name, const T& value) {
    json_[name] = encode(value);
  }
  template <typename T>
  void if_there(const char* name, const T& value) {
    (*this)(name, value);
  }
  Json take() { return std::move(json_); }

 private:
  template <typename T>
  static Json encode(const T& value) {
    if constexpr (requires(Writer w) { visit_fields(w, value); }) {
      Writer writer;
      visit_fields(writer, value);
      return writer.take();
    } else if constexpr (std::same_as<T, DType>) {
      return dtype_name(value);
    } else {
      return value;
    }
  }
  template <typename T>
  static Json encode(const std::vector<T>& values) {
    Json list = Json::array();
    for (const T& value : values) list.push_back(encode(value));
    return list;
  }
  Json json_ = Json::object();
};

/// Remembers the first field that is missing or of another type.
class Reader {
 public:
  Reader(const nlohmann::json& json, std::string path) : json_(json), path_(std::move(path)) {}

  template <typename T>
  void operator()(const char* name, T& value) {
    if (!problem_.empty()) return;
    const std::string path = path_ + name;
    const auto found = json_.is_object() ? json_.find(name) : json_.end();
    if (found == json_.end()) {
      problem_ = "'" + path + "' is missing";
      return;
    }
    decode(*found, path, value);
  }
  /// A field that reports of earlier versions lack.
  template <typename T>
  void if_there(const char* name, T& value) {
    if (json_.is_object() && json_.contains(name)) (*this)(name, value);
  }
  const std::string& problem() const { return problem_; }

 private:
  template <typename T>
  void decode(const nlohmann::json& json, const std::string& path, T& value) {
    if constexpr (requires(Reader r) { visit_fields(r, value); }) {
      Reader reader(json, path + ".");
      visit_fields(reader, value);
      problem_ = reader.problem();
    } else if constexpr (std::same_as<T, std::string>) {
      assign(json, json.is_string(), path, "text", value);
    } else if constexpr (std::same_as<T, DType>) {
      for (const DType type : {DType::F32, DType::BF16}) {
        if (json != dtype_name(type)) continue;
        value = type;
        return;
      }
      problem_ = "'" + path + "' should be \"F32\" or \"BF16\", found " + json.dump();
    } else if constexpr (std::same_as<T, bool>) {
      assign(json, json.is_boolean(), path, "true or false", value);
    } else if constexpr (std::integral<T>) {
      assign(json, json.is_number_integer(), path, "a whole number", value);
    } else {
      assign(json, json.is_number(), path, "a number", value);
    }
  }
  template <typename T>
  void decode(const nlohmann::json& json, const std::string& path, std::vector<T>& values) {
    if (!json.is_array()) {
      problem_ = "'" + path + "' should be a list, found " + json.type_name();
      return;
    }
    values.clear();
    for (const nlohmann::json& element : json) {
      const std::string element_path = path + "[" + std::to_string(values.size()) + "]";
      decode(element, element_path, values.emplace_back());
      if (!problem_.empty()) return;
    }
  }
  template <typename T>
  void assign(const nlohmann::json& json, bool fits, const std::string& path, const char* wanted, T& value) {
    if (fits) {
      value = json.get<T>();
    } else {
      problem_ = "'" + path + "' should be " + wanted + ", found " + json.type_name();
    }
  }

  const nlohmann::json& json_;
  std::string path_;
  std::string problem_;
};

}  // namespace

std::string to_json(const BenchReport& report) {
  Writer writer;
  visit_fields(writer, report);
  return writer.take().dump(2);
}

Result<BenchReport> bench_report_from_json(const std::string& json) {
  TANDEM_TRY(const nlohmann::json parsed, parse_json_object(json, "benchmark"));
  BenchReport report;
  Reader reader(parsed, "");
  visit_fields(reader, report);
  if (!reader.problem().empty()) return Error{ErrorCode::BadFormat, "benchmark: " + reader.problem()};
  return report;
}

}  // namespace tandem
