#include "ui/model_loader.h"

#include <QCoreApplication>
#include <QFileInfo>

#include "core/models/memory_plan.h"
#include "ui/format.h"
#include "ui/theme.h"

namespace tandem::ui {
namespace {

QString tr(const char* text) {
  return QCoreApplication::translate("ModelLoader", text);
}

QString bytes(std::int64_t count) {
  return formatBytes(static_cast<double>(count));
}

/// What the model will take, said before its weights are read.
QString planText(const QString& name) {
  const auto info = tandem::inspect_model(name.toStdString());
  if (!info) return tr("Loading %1").arg(QFileInfo(name).fileName());
  const tandem::MemoryPlan plan = tandem::plan_memory(*info, {});
  return tr("Loading %1: %2 of %3 free")
      .arg(QString::fromStdString(info->name), bytes(plan.peak()), bytes(tandem::available_memory()));
}

/// Loads a model for `side`, or for the side it belongs to.
void load(const QString& name, std::optional<std::size_t> side, tandem::LoadOptions& options,
          LoadState& state, LoadedModels& loaded) {
  if (name.isEmpty() || options.stop.stop_requested()) return;
  state.setWhat(planText(name));
  options.progress = [&state](std::int64_t done, std::int64_t total) {
    state.setPercent(static_cast<int>(total > 0 ? 100 * done / total : 100));
  };
  auto model = tandem::open_model(name.toStdString(), options);
  if (model) {
    const std::size_t at = side.value_or(sideOf((*model)->info()));
    loaded.models[at] = *model;
    if (at == 0) options.teacher = *model;
  } else if (loaded.error.isEmpty() && model.error().code != tandem::ErrorCode::Cancelled) {
    loaded.error = QString::fromStdString(model.error().message);
  }
}

}  // namespace

std::size_t sideOf(const tandem::ModelInfo& info) {
  return static_cast<std::size_t>(info.is_pure_attention() ? Side::Teacher : Side::Student);
}

LoadState::Reading LoadState::reading() const {
  const std::lock_guard lock(m_mutex);
  return m_reading;
}

void LoadState::setWhat(const QString& what) {
  const std::lock_guard lock(m_mutex);
  m_reading = {what, 0};
}

void LoadState::setPercent(int percent) {
  const std::lock_guard lock(m_mutex);
  m_reading.percent = percent;
}

LoadedModels loadModels(const LoadRequest& request, LoadState& state, std::stop_token stop) {
  LoadedModels loaded;
  tandem::LoadOptions options;
  options.teacher = request.teacher;
  options.stop = std::move(stop);
  for (std::size_t side = 0; side < request.names.size(); ++side)
    load(request.names[side], side, options, state, loaded);
  load(request.anySide, {}, options, state, loaded);
  return loaded;
}

}  // namespace tandem::ui
