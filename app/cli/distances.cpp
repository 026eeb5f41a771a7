// tandem-cli distances: how far a student's mixing matrices are from its teacher's, layer by layer.
#include "core/mixing/distances.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/interrupt.h"
#include "app/cli/output.h"
#include "app/cli/run_options.h"
#include "app/cli/validators.h"

namespace tandem::cli {
namespace {

struct Options {
  std::vector<std::string> models;
  std::string text;
  LoadOptions load;
  int threads = 1;
  bool json = false;
};

void printTable(const std::vector<LayerDistances>& layers) {
  Table table({"layer", "heads", "relative, least", "mean", "most", "cosine, least", "mean", "most"});
  for (const LayerDistances& layer : layers) {
    const auto count = static_cast<double>(layer.heads.size());
    std::vector<double> relative, cosine;
    for (const MatrixDistance& head : layer.heads) {
      relative.push_back(head.relative);
      cosine.push_back(head.cosine);
    }
    std::vector<std::string> row = {std::to_string(layer.layer), std::to_string(layer.heads.size())};
    for (const std::vector<double>& values : {relative, cosine}) {
      const auto [least, most] = std::minmax_element(values.begin(), values.end());
      double sum = 0;
      for (const double value : values) sum += value;
      for (const double value : {*least, sum / count, *most}) row.push_back(fmt::format("{:.3f}", value));
    }
    table.addRow(row);
  }
  table.print();
}

nlohmann::json layerJson(const LayerDistances& layer) {
  nlohmann::json heads = nlohmann::json::array();
  for (const MatrixDistance& head : layer.heads) {
    nlohmann::json own = {{"frobenius", head.frobenius}, {"cosine", head.cosine}, {"relative", nullptr}};
    if (std::isfinite(head.relative)) own["relative"] = head.relative;
    heads.push_back(own);
  }
  return {{"layer", layer.layer}, {"heads", heads}};
}

int runDistances(const Options& options) {
  if (options.models.size() != 2)
    return fail(
        {ErrorCode::InvalidArgument,
         fmt::format("{} models were given, a teacher and a student are needed", options.models.size())});
  const Interrupt interrupt;
  LoadOptions load = options.load;
  load.stop = interrupt.token();
  const auto models = openModels(options.models, load);
  if (!models) return fail(models.error());
  const Model& teacher = *models->front();
  const Model& student = *models->back();
  const std::vector<std::int32_t> ids = teacher.tokenizer().encode(options.text);
  if (student.tokenizer().encode(options.text) != ids)
    return fail(
        {ErrorCode::Mismatch, fmt::format("{} and {} split the text into other tokens: their matrices "
                                          "cannot be laid side by side",
                                          teacher.info().name, student.info().name)});
  Context context(options.threads, teacher.device());
  const auto layers = matrix_distances(teacher, student, ids, context, interrupt.token());
  if (!layers) return fail(layers.error());
  if (!options.json) {
    printTable(*layers);
    fmt::print("{} against {}, {} tokens, skips included\n", student.info().name, teacher.info().name,
               ids.size());
    return 0;
  }
  nlohmann::json json = {{"teacher", teacher.info().name},
                         {"student", student.info().name},
                         {"ids", ids},
                         {"layers", nlohmann::json::array()}};
  for (const LayerDistances& layer : *layers) json["layers"].push_back(layerJson(layer));
  printJson(json);
  return 0;
}

}  // namespace

void addDistancesCommand(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand(
      "distances", "How far a student's mixing matrices are from its teacher's, head by head, on a text");
  auto options = std::make_shared<Options>();
  addModelOption(*command, options->models);
  addLoadOptions(*command, options->load);
  command->add_option("--text", options->text, "The text, without a template")->required();
  command->add_option("--threads", options->threads, "Threads")->check(kAboveZero)->capture_default_str();
  command->add_flag("--json", options->json, "Print JSON, with every head");
  command->callback([options, &action] { action = [options] { return runDistances(*options); }; });
}

}  // namespace tandem::cli
