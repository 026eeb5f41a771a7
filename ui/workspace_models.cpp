// The workspace's two models: opening them, their tokenizers and types of weights.
#include "ui/file_kind.h"
#include "ui/workspace_private.h"

namespace tandem::ui {

void Workspace::openModels(const QString& teacher, const QString& student) {
  d->loadModels({{d->choice(teacher), d->choice(student)}, {}, {}});
}

void Workspace::openModel(const QString& path, std::optional<Side> side, const QString& tokenizer) {
  LoadRequest request;
  (side ? request.sides[static_cast<std::size_t>(*side)] : request.anySide) = d->choice(path, tokenizer);
  d->loadModels(std::move(request));
}

/// A model that was opened with a tokenizer chosen for it is opened with it again.
ModelChoice Workspace::Private::choice(const QString& name, const QString& tokenizer) const {
  return {name, tokenizer.isEmpty() ? recent.tokenizer(name) : tokenizer};
}

void Workspace::Private::loadModels(LoadRequest request) {
  ++loading;
  request.lenders = models;
  request.weights = settings.weights;
  loader.load(std::move(request), /*quiet=*/false, [this](bool newest, LoadedModels loaded) {
    --loading;
    if (newest) takeLoaded(std::move(loaded));
    emit q->stateChanged();
  });
  emit q->stateChanged();
}

void Workspace::Private::takeLoaded(LoadedModels loaded) {
  for (std::size_t side = 0; side < models.size(); ++side) {
    if (!loaded.models[side]) continue;
    models[side] = std::move(loaded.models[side]);
    packed[side] = loaded.weights;
    const QString path = QString::fromStdString(models[side]->info().path);
    if (!isBundledModel(path)) recent.add(path, loaded.tokenizers[side]);
  }
  emit q->modelsChanged();
  if (!loaded.error.isEmpty()) emit q->failed(loaded.error);
  if (!loaded.withoutTokenizer.isEmpty())
    emit q->tokenizerWanted(loaded.withoutTokenizer, loaded.tokenizerFor, loaded.error);
}

/// A run records one type of weights for both models.
bool Workspace::Private::packedAsSet() const {
  for (std::size_t side = 0; side < models.size(); ++side)
    if (models[side] && packed[side] != settings.weights) return false;
  return true;
}

void Workspace::Private::repackModels() {
  LoadRequest request;
  for (std::size_t side = 0; side < models.size(); ++side) {
    if (models[side] && packed[side] != settings.weights)
      request.sides[side] = choice(QString::fromStdString(models[side]->info().path));
  }
  loadModels(std::move(request));
}

/// Loads the models an opened session was recorded with, where they are still to be found: matrices can then
/// be captured and the run continued. Quiet when they are not, unless the run is to go on.
void Workspace::Private::findModelsOf(const std::vector<tandem::SessionModel>& wanted, bool resume) {
  LoadRequest request;
  request.lenders = models;
  request.weights = settings.weights;
  for (std::size_t side = 0; side < models.size(); ++side) {
    const bool same = models[side] && models[side]->info().sha256 == wanted[side].sha256;
    if (same && packed[side] == settings.weights) continue;
    request.sides[side] = choice(QString::fromStdString(wanted[side].path));
  }
  loader.load(std::move(request), /*quiet=*/true, [this, resume](bool newest, LoadedModels loaded) {
    if (!newest) return;
    for (std::size_t side = 0; side < models.size(); ++side) {
      const bool same = loaded.models[side] && loaded.models[side]->info().sha256 == recordedHashes[side];
      if (!same) continue;
      models[side] = std::move(loaded.models[side]);
      packed[side] = loaded.weights;
    }
    emit q->modelsChanged();
    if (resume) resumeRun();
  });
}

}  // namespace tandem::ui
