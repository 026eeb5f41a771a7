// The workspace's two models: opening them, their tokenizers, types of weights and device.
#include "ui/file_kind.h"
#include "ui/workspace_private.h"

namespace tandem::ui {
namespace {

/// As find_device() takes it.
std::string idOf(const tandem::Device* device) {
  return device != nullptr ? device->info().id : "cpu";
}

}  // namespace

void Workspace::openModels(const QString& teacher, const QString& student) {
  LoadRequest request;
  request.sides = {d->choice(teacher), d->choice(student)};
  d->loadModels(std::move(request));
}

void Workspace::openModel(const QString& path, std::optional<Side> side, const QString& tokenizer) {
  LoadRequest request;
  (side ? request.sides[static_cast<std::size_t>(*side)] : request.anySide) = d->choice(path, tokenizer);
  d->loadModels(std::move(request));
}

tandem::Device* Workspace::device() const {
  return d->device;
}

QString Workspace::deviceName() const {
  return QString::fromStdString(tandem::device_name(d->device, d->settings.threads));
}

const tandem::DeviceList* Workspace::devices() const {
  return d->devices;
}

QString Workspace::deviceNote() const {
  return d->deviceNote;
}

void Workspace::beginOn(const QString& id) {
  d->target = id.toStdString();
}

void Workspace::chooseDevice(const QString& id) {
  if (d->job) return void(emit failed(tr("Stop the run before another device is chosen")));
  if (!d->occupied.isEmpty()) return void(emit failed(d->occupied));
  if (d->devices == nullptr) return beginOn(id);
  const auto there = tandem::find_device(id.toStdString(), *d->devices);
  if (!there) return void(emit failed(QString::fromStdString(there.error().message)));
  d->target = d->choosing = idOf(*there);
  if (d->underWay || !d->allInPlace()) return d->loadModels(d->underWay.value_or(LoadRequest{}));
  LoadedModels nothing;
  nothing.device = *there;
  d->accept(nothing);
}

/// A model that was opened with a tokenizer chosen for it is opened with it again.
ModelChoice Workspace::Private::choice(const QString& name, const QString& tokenizer) const {
  return {name, tokenizer.isEmpty() ? recent.tokenizer(name) : tokenizer};
}

/// What is asked for, and with it the loaded models that are not as they should be.
void Workspace::Private::loadModels(LoadRequest request) {
  ++loading;
  underWay = request;
  for (std::size_t side = 0; side < models.size(); ++side) {
    if (models[side] && !inPlace(side) && request.sides[side].name.isEmpty())
      request.sides[side] = choice(QString::fromStdString(models[side]->info().path));
  }
  request.lenders = models;
  request.weights = settings.weights;
  request.device = target;
  request.elseCpu = !models[0] && !models[1];
  loader.load(std::move(request), /*quiet=*/false, [this](bool newest, LoadedModels loaded) {
    --loading;
    if (newest) takeLoaded(std::move(loaded));
    emit q->stateChanged();
  });
  emit q->stateChanged();
}

void Workspace::Private::takeLoaded(LoadedModels loaded) {
  underWay.reset();
  accept(loaded);
  for (std::size_t side = 0; side < models.size(); ++side) {
    if (!loaded.models[side] || loaded.models[side] != models[side]) continue;
    const QString path = QString::fromStdString(models[side]->info().path);
    if (!isBundledModel(path)) recent.add(path, loaded.tokenizers[side]);
  }
  emit q->modelsChanged();
  if (!loaded.error.isEmpty()) emit q->failed(loaded.error);
  if (!loaded.withoutTokenizer.isEmpty())
    emit q->tokenizerWanted(loaded.withoutTokenizer, loaded.tokenizerFor, loaded.error);
}

/// What was loaded takes its place, unless that would leave the two models on different devices: a run
/// compares them on one.
void Workspace::Private::accept(const LoadedModels& loaded) {
  std::array<ModelPointer, 2> next = models;
  for (std::size_t side = 0; side < next.size(); ++side)
    if (loaded.models[side]) next[side] = loaded.models[side];
  if (!next[0] || !next[1] || next[0]->device() == next[1]->device()) {
    for (std::size_t side = 0; side < next.size(); ++side)
      if (loaded.models[side]) packed[side] = loaded.weights;
    models = std::move(next);
  }
  const ModelPointer& one = models[0] ? models[0] : models[1];
  const std::string chosen = std::exchange(choosing, {});
  settleOn(one ? one->device() : loaded.device, loaded.notThere, /*asked=*/!chosen.empty());
  if (!chosen.empty() && chosen == target) emit q->deviceChosen(QString::fromStdString(chosen));
}

/// Why it is not another one stays on show until there is something new to say.
void Workspace::Private::settleOn(tandem::Device* next, const QString& whyNotAnother, bool asked) {
  if (next != device || asked || !whyNotAnother.isEmpty())
    deviceNote = whyNotAnother.isEmpty() ? QString() : tr("On the CPU: %1").arg(whyNotAnother);
  device = next;
  target = idOf(next);
  emit q->deviceChanged();
}

/// Until a model is loaded, they decide where it will go.
void Workspace::Private::foundDevices(const tandem::DeviceList& list) {
  devices = &list;
  if (models[0] || models[1]) return void(emit q->deviceChanged());
  const auto there = tandem::find_device(target, list);
  settleOn(there ? *there : nullptr, there ? QString() : QString::fromStdString(there.error().message),
           /*asked=*/false);
}

/// A run records one type of weights for both models, and one device.
bool Workspace::Private::inPlace(std::size_t side) const {
  return packed[side] == settings.weights && idOf(models[side]->device()) == target;
}

bool Workspace::Private::allInPlace() const {
  return (!models[0] || inPlace(0)) && (!models[1] || inPlace(1));
}

/// Loads the models an opened session was recorded with, where they are still to be found: matrices can then
/// be captured and the run continued. Quiet when they are not, unless the run is to go on.
void Workspace::Private::findModelsOf(const std::vector<tandem::SessionModel>& recorded, bool resume) {
  LoadRequest request;
  request.lenders = models;
  request.weights = settings.weights;
  request.elseCpu = !models[0] && !models[1];
  if (!request.elseCpu) target = idOf(device);  // a change of it that is under way is given up
  request.device = target;
  choosing.clear();
  underWay.reset();
  for (std::size_t side = 0; side < models.size(); ++side) {
    const bool same = models[side] && models[side]->info().sha256 == recorded[side].sha256;
    if (same && inPlace(side)) continue;
    request.sides[side] = choice(QString::fromStdString(recorded[side].path));
  }
  loader.load(std::move(request), /*quiet=*/true, [this, resume](bool newest, LoadedModels loaded) {
    if (!newest) return;
    for (std::size_t side = 0; side < models.size(); ++side)
      if (loaded.models[side] && loaded.models[side]->info().sha256 != recordedHashes[side])
        loaded.models[side].reset();
    accept(loaded);
    emit q->modelsChanged();
    if (resume) resumeRun();
  });
}

}  // namespace tandem::ui
