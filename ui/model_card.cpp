#include "ui/model_card.h"

#include <utility>

#include <QFileDialog>
#include <QFileInfo>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QSignalBlocker>
#include <QVBoxLayout>

#include "core/checkpoint/checkpoint.h"
#include "core/models/memory_plan.h"
#include "core/models/text_side.h"
#include "ui/device_menu.h"
#include "ui/format.h"
#include "ui/model_loader.h"
#include "ui/model_table.h"
#include "ui/theme.h"

namespace tandem::ui {
namespace {

constexpr int kFactHeight = 22;

QString bytes(std::int64_t count) {
  return formatBytes(static_cast<double>(count));
}

/// 0 also when the device does not answer.
std::int64_t freeMemory(const tandem::Device* device) {
  try {
    return tandem::available_memory(device);
  } catch (const tandem::DeviceError&) {
    return 0;
  }
}

}  // namespace

ModelCard::ModelCard(Workspace& workspace, ModelList& list, QWidget* parent)
    : QWidget(parent),
      m_workspace(workspace),
      m_list(list),
      m_reader([this](const Readings& readings) {
        m_readings = readings;
        refresh();
        hash();
      }),
      m_hasher([this](const QString& hash) {
        if (hash.isEmpty()) return;
        auto models = std::make_shared<std::vector<Reading>>(*m_readings.models);
        models->front().info->sha256 = hash.toStdString();
        m_readings.models = std::move(models);
        refreshTable();
      }),
      m_name(new QLabel(this)),
      m_path(new QLabel(this)),
      m_plan(new QLabel(this)),
      m_tokenizer(new QLabel(this)),
      m_compare(new QComboBox(this)),
      m_weights(new QComboBox(this)),
      m_onlyDifferences(new QCheckBox(tr("Only &differences"), this)),
      m_facts(new QTableWidget(this)),
      m_memory(new MemoryBar(this)),
      m_chooseTokenizer(new QPushButton(tr("&Choose…"), this)),
      m_loadSide{new QPushButton(tr("Load as &teacher"), this),
                 new QPushButton(tr("Load as &student"), this)} {
  buildLayout();
  connect(m_compare, &QComboBox::activated, this,
          [this] { compareWith(m_compare->currentData().toString()); });
  connect(m_onlyDifferences, &QCheckBox::toggled, this, &ModelCard::refreshTable);
  connect(m_weights, &QComboBox::activated, this, &ModelCard::chooseWeights);
  connect(m_chooseTokenizer, &QPushButton::clicked, this, &ModelCard::chooseTokenizer);
  for (const Side side : {Side::Teacher, Side::Student}) {
    connect(m_loadSide[static_cast<int>(side)], &QPushButton::clicked, this,
            [this, side] { m_workspace.openModel(m_choice, side); });
  }
  connect(&m_list, &QAbstractItemModel::modelReset, this, &ModelCard::offerComparisons);
  connect(&m_workspace, &Workspace::modelsChanged, this, &ModelCard::read);
  connect(&m_workspace, &Workspace::settingsChanged, this, &ModelCard::refresh);
  connect(&m_workspace, &Workspace::deviceChanged, this, &ModelCard::read);
  connect(&m_workspace, &Workspace::stateChanged, this, [this] {
    if (busy()) m_hasher.cancel();
    if (!m_hasher.running() && !m_reader.running()) hash();
    refreshButtons();
  });
  offerComparisons();
}

void ModelCard::buildLayout() {
  m_name->setObjectName(QStringLiteral("modelName"));
  m_name->setFont(Theme::body(13, QFont::DemiBold));
  m_path->setObjectName(QStringLiteral("modelPath"));
  m_path->setTextInteractionFlags(Qt::TextSelectableByMouse | Qt::TextSelectableByKeyboard);
  for (QLabel* label : {m_path, m_plan, m_tokenizer}) {
    label->setWordWrap(true);
    label->setTextFormat(Qt::PlainText);
  }
  m_plan->setObjectName(QStringLiteral("memoryPlan"));
  m_tokenizer->setObjectName(QStringLiteral("tokenizerSource"));
  m_compare->setObjectName(QStringLiteral("compareModel"));
  m_compare->setAccessibleName(tr("Compare with"));
  m_compare->setMinimumContentsLength(16);
  m_onlyDifferences->setObjectName(QStringLiteral("onlyDifferences"));
  m_facts->setObjectName(QStringLiteral("modelFacts"));
  m_facts->setAccessibleName(tr("Facts of the model"));
  m_facts->verticalHeader()->hide();
  m_facts->verticalHeader()->setDefaultSectionSize(kFactHeight);
  m_facts->horizontalHeader()->setDefaultAlignment(Qt::AlignLeft | Qt::AlignVCenter);
  m_facts->setEditTriggers(QAbstractItemView::NoEditTriggers);
  m_facts->setAlternatingRowColors(true);
  m_facts->setWordWrap(false);
  m_facts->setTextElideMode(Qt::ElideMiddle);
  m_memory->setAccessibleName(tr("Memory"));

  auto* compare = new QHBoxLayout;
  auto* label = new QLabel(tr("Co&mpare with"), this);
  label->setBuddy(m_compare);
  compare->addWidget(label);
  compare->addWidget(m_compare);
  compare->addWidget(m_onlyDifferences);
  compare->addStretch();
  auto* tokenizer = new QHBoxLayout;
  tokenizer->addWidget(m_tokenizer, 1);
  tokenizer->addWidget(m_chooseTokenizer);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(8, 0, 0, 0);
  layout->addWidget(m_name);
  layout->addWidget(m_path);
  layout->addLayout(compare);
  layout->addWidget(m_facts, 1);
  layout->addLayout(tokenizer);
  layout->addWidget(m_memory);
  layout->addWidget(m_plan);
  layout->addLayout(loadRow());
}

QLayout* ModelCard::loadRow() {
  auto* row = new QHBoxLayout;
  m_weights->setObjectName(QStringLiteral("weights"));
  m_weights->setAccessibleName(tr("Weights"));
  m_weights->setToolTip(
      tr("bf16 rounds every weight to 8 significant bits and takes half the memory. Both models are loaded "
         "alike; "
         "quantised files stay as they are"));
  m_weights->addItem(tr("f32: exact"), QStringLiteral("f32"));
  m_weights->addItem(tr("bf16: half the memory"), QStringLiteral("bf16"));
  auto* label = new QLabel(tr("&Weights"), this);
  label->setBuddy(m_weights);
  row->addWidget(label);
  row->addWidget(m_weights);
  row->addWidget(new QLabel(tr("on"), this));
  row->addWidget(new DeviceButton(m_workspace, DeviceButton::Form::Brief, this));
  row->addStretch();
  m_loadSide[0]->setObjectName(QStringLiteral("loadTeacher"));
  m_loadSide[1]->setObjectName(QStringLiteral("loadStudent"));
  m_chooseTokenizer->setObjectName(QStringLiteral("chooseTokenizer"));
  for (QPushButton* button : m_loadSide) row->addWidget(button);
  return row;
}

void ModelCard::offerComparisons() {
  const QSignalBlocker blocker(m_compare);
  m_compare->clear();
  m_compare->addItem(tr("nothing"), QString());
  for (int row = 0; row < m_list.rowCount(); ++row) {
    const QModelIndex index = m_list.index(row, ModelList::NameColumn);
    if (index.data(ModelList::MissingRole).toBool()) continue;
    m_compare->addItem(index.data().toString(), index.data(ModelList::ChoiceRole));
  }
  m_compare->setCurrentIndex(std::max(0, m_compare->findData(m_other)));
}

void ModelCard::showModel(const QString& choice) {
  if (std::exchange(m_choice, choice) != choice) read();
}

void ModelCard::compareWith(const QString& choice) {
  m_other = choice;
  offerComparisons();
  read();
}

void ModelCard::showEvent(QShowEvent* event) {
  QWidget::showEvent(event);
  read();
}

void ModelCard::hideEvent(QHideEvent* event) {
  QWidget::hideEvent(event);
  m_hasher.cancel();
}

/// Nothing while it is hidden. Of a model that is loaded, what the window has of it says more than its files.
void ModelCard::read() {
  m_hasher.cancel();
  if (m_choice.isEmpty() || !isVisible()) return;
  QStringList choices{m_choice};
  if (!m_other.isEmpty() && m_other != m_choice) choices << m_other;
  std::array<std::shared_ptr<const tandem::Model>, 2> loaded{m_workspace.model(Side::Teacher),
                                                             m_workspace.model(Side::Student)};
  tandem::LoadOptions options;
  options.weights = weightType(m_workspace.settings().weights);
  options.device = m_workspace.device();
  m_reader.start([choices, loaded, options](const std::stop_token&) -> Readings {
    auto readings = std::make_shared<std::vector<Reading>>();
    for (const QString& choice : choices) {
      Reading reading = readModel(choice, options);
      for (const auto& model : loaded)
        if (reading.info && model && model->info().path == reading.info->path) reading.info = model->info();
      readings->push_back(std::move(reading));
    }
    return {std::move(readings), freeMemory(options.device)};
  });
}

ModelCard::Reading ModelCard::readModel(const QString& choice, const tandem::LoadOptions& options) {
  auto info = tandem::inspect_model(choice.toStdString(), options);
  if (!info) return {choice, QString::fromStdString(info.error().message), {}, true};
  const bool own = tandem::has_tokenizer(info->path);
  return {choice, {}, *std::move(info), own};
}

const ModelCard::Reading* ModelCard::shown() const {
  return m_readings.models ? &m_readings.models->front() : nullptr;
}

bool ModelCard::busy() const {
  const Workspace::State state = m_workspace.state();
  return state == Workspace::State::Running || state == Workspace::State::Loading;
}

void ModelCard::hash() {
  const Reading* reading = shown();
  if (busy() || !isVisible() || reading == nullptr || !reading->info || !reading->info->sha256.empty())
    return;
  m_hasher.start([path = reading->info->path](const std::stop_token& stop) {
    const auto checkpoint = tandem::Checkpoint::open(path);
    if (!checkpoint) return QString();
    const auto sum = (*checkpoint)->sha256([&stop](std::int64_t) { return !stop.stop_requested(); });
    return sum ? QString::fromStdString(*sum) : QString();
  });
}

void ModelCard::refresh() {
  const Reading* reading = shown();
  if (reading == nullptr) return;
  m_name->setText(reading->info ? QString::fromStdString(reading->info->name)
                                : QFileInfo(reading->choice).fileName());
  m_path->setText(reading->info ? QString::fromStdString(reading->info->path) : reading->error);
  for (QWidget* part : std::initializer_list<QWidget*>{m_compare, m_onlyDifferences, m_facts, m_memory,
                                                       m_plan, m_tokenizer, m_chooseTokenizer}) {
    part->setEnabled(reading->info.has_value());
  }
  refreshTable();
  refreshMemory();
  refreshTokenizer();
  refreshButtons();
}

void ModelCard::refreshTable() {
  if (!m_readings.models) return;
  std::vector<ModelColumn> columns;
  for (const Reading& reading : *m_readings.models)
    if (reading.info) columns.push_back({QString::fromStdString(reading.info->name), &*reading.info});
  if (!shown()->info) columns.clear();
  m_onlyDifferences->setEnabled(columns.size() == 2);
  const PlotTable table = modelTable(columns, m_workspace.settings(), m_onlyDifferences->isChecked());
  m_facts->setColumnCount(static_cast<int>(table.headers.size()));
  m_facts->setRowCount(static_cast<int>(table.rows.size()));
  m_facts->setHorizontalHeaderLabels(table.headers);
  for (int row = 0; row < m_facts->rowCount(); ++row) {
    for (int column = 0; column < m_facts->columnCount(); ++column) {
      const QString text = table.rows[row].value(column);
      auto* item = new QTableWidgetItem(text);
      item->setToolTip(text);
      m_facts->setItem(row, column, item);
    }
  }
  QHeaderView* header = m_facts->horizontalHeader();
  for (int column = 0; column < m_facts->columnCount(); ++column) {
    const bool value = column > 0 && column <= static_cast<int>(columns.size());
    header->setSectionResizeMode(column, value ? QHeaderView::Stretch : QHeaderView::ResizeToContents);
  }
}

void ModelCard::refreshMemory() {
  const Reading* reading = shown();
  m_memory->setVisible(reading->info.has_value());
  if (!reading->info) return m_plan->clear();
  const tandem::MemoryPlan plan = plannedMemory(*reading->info, m_workspace.settings());
  m_memory->setPlan(plan, m_readings.available);
  m_plan->setText(planText(*reading->info, plan));
  m_memory->setAccessibleDescription(m_plan->text());
}

QString ModelCard::planText(const tandem::ModelInfo& info, const tandem::MemoryPlan& plan) const {
  const tandem::RunSettings& settings = m_workspace.settings();
  QString text = tr("Needs %1 at most: weights %2").arg(bytes(plan.peak()), bytes(plan.weights));
  if (info.single_bytes > 0) text += tr(" (as stored, and packed once a batch is run)");
  if (plan.loading > 0) text += tr(", while loading %1 more").arg(bytes(plan.loading));
  text += tr(", %1 completions of %2 tokens %3.")
              .arg(settings.completions)
              .arg(settings.max_new_tokens)
              .arg(bytes(plan.running()));
  if (m_readings.available <= 0) return text;
  const QString where =
      m_workspace.device() != nullptr ? tr(" on %1").arg(m_workspace.deviceName()) : QString();
  return text + QLatin1Char(' ') +
         (plan.peak() <= m_readings.available ? tr("%1 are free%2: it fits.")
                                              : tr("%1 are free%2: it does not fit."))
             .arg(bytes(m_readings.available), where);
}

void ModelCard::refreshTokenizer() {
  const Reading* reading = shown();
  const bool lacks = reading->info && !reading->ownTokenizer;
  m_tokenizer->setVisible(lacks);
  m_chooseTokenizer->setVisible(lacks);
  if (!lacks) return;
  const QString chosen = m_workspace.recentModels().tokenizer(m_choice);
  const ModelPointer lender =
      lenderOf(*reading->info, {m_workspace.model(Side::Teacher), m_workspace.model(Side::Student)});
  if (!chosen.isEmpty()) {
    m_tokenizer->setText(tr("Comes without a tokenizer; uses %1.").arg(chosen));
  } else if (lender) {
    m_tokenizer->setText(
        tr("Comes without a tokenizer; takes that of %1.").arg(QString::fromStdString(lender->info().name)));
  } else {
    m_tokenizer->setText(
        tr("Comes without a tokenizer, and no loaded model has its vocabulary of %1: load its "
           "teacher, or choose a tokenizer.json.")
            .arg(formatCount(reading->info->vocab)));
  }
}

void ModelCard::refreshButtons() {
  const Reading* reading = shown();
  const bool readable = reading != nullptr && reading->info.has_value();
  const bool free = m_workspace.state() != Workspace::State::Running;
  m_weights->setCurrentIndex(m_weights->findData(QString::fromStdString(m_workspace.settings().weights)));
  m_weights->setEnabled(free);
  for (const Side side : {Side::Teacher, Side::Student}) {
    QPushButton* button = m_loadSide[static_cast<int>(side)];
    button->setEnabled(readable && free);
    button->setToolTip(free ? QString() : tr("A run is under way"));
    button->setDefault(readable && sideOf(*reading->info) == static_cast<std::size_t>(side));
  }
}

void ModelCard::chooseWeights() {
  tandem::RunSettings settings = m_workspace.settings();
  settings.weights = m_weights->currentData().toString().toStdString();
  m_workspace.setSettings(settings);
  read();
}

void ModelCard::chooseTokenizer() {
  const QString file = QFileDialog::getOpenFileName(this, tr("Choose a tokenizer"), QString(),
                                                    tr("Tokenizers (tokenizer.json)"));
  if (file.isEmpty()) return;
  m_workspace.recentModels().add(m_choice, file);
  refreshTokenizer();
}

}  // namespace tandem::ui
