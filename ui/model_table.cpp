#include "ui/model_table.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include <QCoreApplication>

#include "ui/format.h"

namespace tandem::ui {
namespace {

constexpr std::int64_t kPlannedPrompt = 512;  // tokens: the prompt is not known before a problem is run

QString tr(const char* text) {
  return QCoreApplication::translate("ModelTable", text);
}

QString bytes(std::int64_t count) {
  return formatBytes(static_cast<double>(count));
}

/// "12 × discrete Mamba-2, 4 × attention", in the order in which kinds first appear.
QString kindsText(const tandem::ModelInfo& info) {
  std::vector<std::pair<tandem::MixerKind, int>> counts;
  for (const tandem::LayerInfo& layer : info.layers) {
    auto found =
        std::find_if(counts.begin(), counts.end(), [&](const auto& c) { return c.first == layer.mixer; });
    if (found == counts.end()) found = counts.insert(counts.end(), {layer.mixer, 0});
    ++found->second;
  }
  QStringList parts;
  for (const auto& [kind, count] : counts)
    parts << QStringLiteral("%1 × %2").arg(count).arg(QLatin1String(tandem::mixer_kind_name(kind)));
  return parts.join(QStringLiteral(", "));
}

/// A size of the layers that have it, "64" or "16, 64"; "–" when none has.
QString sizesText(const tandem::ModelInfo& info, std::int64_t tandem::LayerInfo::*size) {
  std::set<std::int64_t> sizes;
  for (const tandem::LayerInfo& layer : info.layers)
    if (layer.*size > 0) sizes.insert(layer.*size);
  QStringList parts;
  for (const std::int64_t value : sizes) parts << formatCount(value);
  return parts.isEmpty() ? QStringLiteral("–") : parts.join(QStringLiteral(", "));
}

/// What a decode step reads, which for quantised weights depends on how many completions it serves.
QString readText(const tandem::ModelInfo& info) {
  if (info.single_bytes == 0) return bytes(info.weight_bytes);
  return tr("%1 for one, %2 for more").arg(bytes(info.single_bytes), bytes(info.weight_bytes));
}

QStringList values(const tandem::ModelInfo& info, const tandem::RunSettings& settings) {
  return {QString::fromStdString(info.family),
          formatCount(info.parameters),
          kindsText(info),
          sizesText(info, &tandem::LayerInfo::nheads),
          sizesText(info, &tandem::LayerInfo::nheads_kv),
          sizesText(info, &tandem::LayerInfo::headdim),
          sizesText(info, &tandem::LayerInfo::dstate),
          formatCount(info.d_model),
          formatCount(info.d_ff),
          formatCount(info.vocab),
          info.max_context > 0 ? formatCount(info.max_context) : tr("unlimited"),
          bytes(info.cache_bytes_per_token()),
          bytes(info.state_bytes()),
          bytes(info.memory_bytes),
          readText(info),
          bytes(plannedMemory(info, settings).peak()),
          info.sha256.empty() ? tr("not read yet") : QString::fromStdString(info.sha256),
          QString::fromStdString(info.path)};
}

QStringList factNames(const tandem::RunSettings& settings) {
  return {tr("Family"),
          tr("Parameters"),
          tr("Layers"),
          tr("Heads"),
          tr("Key heads, or groups of B"),
          tr("Width of a head"),
          tr("States of a head"),
          tr("Width"),
          tr("Width of the MLP"),
          tr("Vocabulary"),
          tr("Context, tokens"),
          tr("Cache of a token"),
          tr("State of a completion"),
          tr("Weights in memory"),
          tr("Weights a step reads"),
          tr("Needs for %1 × %2 tokens").arg(settings.completions).arg(settings.max_new_tokens),
          tr("SHA-256 of the weight files"),
          tr("Opened from")};
}

}  // namespace

PlotTable modelTable(const std::vector<ModelColumn>& models, const tandem::RunSettings& settings,
                     bool onlyDifferences) {
  PlotTable table;
  table.headers = {tr("Fact")};
  std::vector<QStringList> columns;
  for (const ModelColumn& model : models) {
    table.headers << model.title;
    columns.push_back(values(*model.info, settings));
  }
  const bool two = models.size() == 2;
  if (two) table.headers << tr("Differ");
  const QStringList names = factNames(settings);
  for (int i = 0; i < names.size(); ++i) {
    const bool differ = two && columns[0][i] != columns[1][i];
    if (onlyDifferences && two && !differ) continue;
    QStringList row{names[i]};
    for (const QStringList& column : columns) row << column[i];
    if (two) row << (differ ? QStringLiteral("≠") : QString());
    table.rows.append(row);
  }
  return table;
}

tandem::MemoryPlan plannedMemory(const tandem::ModelInfo& info, const tandem::RunSettings& settings) {
  const std::int64_t batch = settings.batch > 0 ? settings.batch : settings.completions;
  return tandem::plan_memory(info, {kPlannedPrompt, batch, settings.max_new_tokens, false});
}

}  // namespace tandem::ui
