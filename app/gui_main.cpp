// tandem: the desktop application. Wiring only: the command line, the workspace and the window.
#include <cstdio>
#include <optional>

#include <QApplication>
#include <QCommandLineParser>
#include <QElapsedTimer>
#include <QScreen>
#include <QSettings>
#include <QTemporaryDir>
#include <QTimer>

#include "core/base/provenance.h"
#include "core/devices/devices.h"
#include "core/problems/problems.h"
#include "ui/file_kind.h"
#include "ui/main_window.h"
#include "ui/theme.h"

using namespace tandem::ui;

namespace {

constexpr int kFailure = 1;
constexpr int kUsage = 2;
const QString kDeviceSetting = QStringLiteral("models/device");

struct Options {
  QString teacher = QStringLiteral("pocket-teacher");
  QString student = QStringLiteral("pocket-llamba");
  QString path;  // a session, a model or problems
  QString view, screenshot;
  QString device;  // empty: that chosen last
  std::optional<ThemeMode> theme;
  std::optional<QSize> size;
  double scale = 0;  // 0: the desktop's
};

/// Prints what --help, --version and usage errors print and gives the exit code, or fills `options`.
class CommandLine {
 public:
  explicit CommandLine(Options& options) : m_options(options) {
    m_parser.setApplicationDescription(
        QStringLiteral("A transformer teacher and its state-space student, side by side."));
    m_parser.addOptions(
        {m_view, m_theme, m_screenshot, m_size, m_scale, m_session, m_teacher, m_student, m_device});
    m_parser.addPositionalArgument(QStringLiteral("path"),
                                   QStringLiteral("A session, a model or a problem file."),
                                   QStringLiteral("[path]"));
  }

  std::optional<int> parse(const QStringList& arguments) {
    const QCommandLineOption help = m_parser.addHelpOption();
    const QCommandLineOption version = m_parser.addVersionOption();
    if (!m_parser.parse(arguments)) return usage(m_parser.errorText());
    if (m_parser.isSet(help)) {
      std::fputs(qPrintable(m_parser.helpText()), stdout);
      return 0;
    }
    if (m_parser.isSet(version)) {
      std::printf("tandem %s\n", tandem::tandem_version());
      return 0;
    }
    return read();
  }

 private:
  std::optional<int> read() {
    m_options.view = m_parser.value(m_view);
    m_options.screenshot = m_parser.value(m_screenshot);
    if (m_parser.isSet(m_teacher)) m_options.teacher = m_parser.value(m_teacher);
    if (m_parser.isSet(m_student)) m_options.student = m_parser.value(m_student);
    const QStringList views{{}, "race", "matrices", "throughput", "coverage", "distil"};
    if (!views.contains(m_options.view)) {
      return usage(QStringLiteral("--view %1: wanted race, matrices, throughput, coverage or distil")
                       .arg(m_options.view));
    }
    if (m_parser.isSet(m_theme)) {
      const qsizetype mode = QStringList{"auto", "light", "dark"}.indexOf(m_parser.value(m_theme));
      if (mode < 0)
        return usage(QStringLiteral("--theme %1: wanted auto, light or dark").arg(m_parser.value(m_theme)));
      m_options.theme = static_cast<ThemeMode>(mode);
    }
    if (m_parser.isSet(m_size)) {
      const QStringList sides = m_parser.value(m_size).split(QLatin1Char('x'));
      const QSize size(sides.value(0).toInt(), sides.value(1).toInt());
      if (sides.size() != 2 || size.isEmpty()) {
        return usage(
            QStringLiteral("--size %1: wanted WIDTHxHEIGHT, such as 1440x900").arg(m_parser.value(m_size)));
      }
      m_options.size = size;
    }
    if (m_parser.isSet(m_scale)) {
      m_options.scale = m_parser.value(m_scale).toDouble();
      if (!(m_options.scale >= 0.5 && m_options.scale <= 4)) {
        return usage(
            QStringLiteral("--scale %1: wanted a number from 0.5 to 4").arg(m_parser.value(m_scale)));
      }
    }
    if (m_parser.isSet(m_device)) {
      m_options.device = m_parser.value(m_device);
      const auto device = tandem::find_device(m_options.device.toStdString());
      if (!device)
        return usage(QStringLiteral("--device: %1").arg(QString::fromStdString(device.error().message)));
    }
    return readPath();
  }

  std::optional<int> readPath() {
    QStringList paths = m_parser.positionalArguments();
    if (m_parser.isSet(m_session)) paths << m_parser.value(m_session);
    if (paths.size() > 1) return usage(QStringLiteral("One session, model or problem file at a time"));
    if (paths.isEmpty()) return {};
    m_options.path = paths.front();
    if (fileKind(m_options.path) == FileKind::Unknown || !QFileInfo::exists(m_options.path)) {
      return usage(QStringLiteral("%1 is no session, model or problem file").arg(m_options.path));
    }
    return {};
  }

  static int usage(const QString& sentence) {
    std::fprintf(stderr, "tandem: %s\nTry tandem --help\n", qPrintable(sentence));
    return kUsage;
  }

  Options& m_options;
  QCommandLineParser m_parser;
  const QCommandLineOption m_view{"view", "Show this view first.",
                                  "race|matrices|throughput|coverage|distil"};
  const QCommandLineOption m_theme{"theme", "Colours.", "auto|light|dark"};
  const QCommandLineOption m_screenshot{"screenshot", "Write a picture of the window and exit.", "file"};
  const QCommandLineOption m_size{"size", "Size of the window in points.", "WxH"};
  const QCommandLineOption m_scale{"scale", "Pixels per point.", "factor"};
  const QCommandLineOption m_session{"session", "Open this session.", "file"};
  const QCommandLineOption m_teacher{"teacher", "Teacher: a bundled name, a folder or a file.", "model"};
  const QCommandLineOption m_student{"student", "Student: a bundled name, a folder or a file.", "model"};
  const QCommandLineOption m_device{
      "device", "What to run on this time; else what was chosen last, or a GPU if there is one.",
      "auto|cpu|cuda|cuda:N"};
};

/// Lets the view show what it can, waits until it has come to rest, writes the window's picture and ends the
/// application.
class Screenshot : public QObject {
 public:
  Screenshot(Workspace& workspace, MainWindow& window, const QString& path)
      : m_workspace(workspace), m_window(window), m_path(path) {
    connect(&m_workspace, &Workspace::failed, this, &Screenshot::fail);
    connect(&m_poll, &QTimer::timeout, this, &Screenshot::poll);
    m_since.start();
    m_poll.start(kPollMs);
  }

 private:
  static constexpr int kPollMs = 100;
  static constexpr int kSettledPolls = 5;  // in a row: one piece of work may start the next
  static constexpr qint64 kPatienceMs = 300'000;

  void poll() {
    if (m_since.elapsed() > kPatienceMs)
      return fail(QStringLiteral("the view did not come to rest in five minutes"));
    const Workspace::State state = m_workspace.state();
    const bool loaded = state == Workspace::State::Ready || state == Workspace::State::Replay;
    if (!m_demonstrated && loaded && !m_workspace.problems().problems.empty()) {
      m_demonstrated = true;
      m_window.currentView()->demonstrate();
    }
    m_settled = m_demonstrated && m_window.currentView()->settled() ? m_settled + 1 : 0;
    if (m_settled < kSettledPolls) return;
    if (!m_window.grab().save(m_path)) return fail(QStringLiteral("%1 could not be written").arg(m_path));
    QApplication::exit(0);
  }

  void fail(const QString& sentence) {
    m_poll.stop();
    std::fprintf(stderr, "tandem: %s\n", qPrintable(sentence));
    QApplication::exit(kFailure);
  }

  Workspace& m_workspace;
  MainWindow& m_window;
  QString m_path;
  QTimer m_poll;
  QElapsedTimer m_since;
  bool m_demonstrated = false;
  int m_settled = 0;
};

std::optional<int> parseCommandLine(int argc, char** argv, Options& options) {
  const QCoreApplication console(argc, argv);  // the window's application must know the scale when it starts
  return CommandLine(options).parse(QCoreApplication::arguments());
}

int runWindow(QApplication& application, const Options& options) {
  const bool picture = !options.screenshot.isEmpty();
  const QTemporaryDir scratch;
  if (picture) qputenv("XDG_DATA_HOME", scratch.path().toUtf8());  // a picture leaves no session behind
  Theme::instance();                                               // before the first widget
  Workspace workspace;
  MainWindow window(workspace);
  QSettings settings;
  window.resize(QSize(1440, 900).boundedTo(window.screen()->availableSize()));
  if (!picture) {
    window.restorePreferences(settings);
    RecentModels& recent = workspace.recentModels();
    recent.restore(settings);
    QObject::connect(&recent, &RecentModels::changed, &window, [&] { recent.save(settings); });
    QObject::connect(&workspace, &Workspace::deviceChosen, &window,
                     [&](const QString& id) { settings.setValue(kDeviceSetting, id); });
    workspace.beginOn(settings.value(kDeviceSetting, QStringLiteral("auto")).toString());
  }
  if (!options.device.isEmpty()) workspace.beginOn(options.device);
  if (options.theme) Theme::instance().setMode(*options.theme);
  if (options.size) window.resize(*options.size);
  if (!options.view.isEmpty()) window.showView(options.view);
  window.show();
  std::optional<Screenshot> screenshot;
  if (picture) screenshot.emplace(workspace, window, options.screenshot);
  workspace.openProblems(QString::fromLatin1(tandem::kDefaultProblems));
  workspace.openModels(options.teacher, options.student);
  if (!options.path.isEmpty()) {  // after the pair: a session's own models and problems replace it
    const auto open = [&] { window.openPath(options.path); };
    QObject::connect(&workspace, &Workspace::modelsChanged, &window, open, Qt::SingleShotConnection);
  }
  if (!picture) workspace.findInterrupted();
  const int code = application.exec();
  if (!picture) window.savePreferences(settings);
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  QCoreApplication::setOrganizationName(QStringLiteral("tandem"));
  QCoreApplication::setApplicationName(QStringLiteral("tandem"));
  QCoreApplication::setApplicationVersion(QLatin1String(tandem::tandem_version()));
  Options options;
  if (const auto code = parseCommandLine(argc, argv, options)) return *code;
  if (options.scale > 0) qputenv("QT_SCALE_FACTOR", QByteArray::number(options.scale));
  const bool display = qEnvironmentVariableIsSet("DISPLAY") || qEnvironmentVariableIsSet("WAYLAND_DISPLAY");
  if (!options.screenshot.isEmpty() && !display && !qEnvironmentVariableIsSet("QT_QPA_PLATFORM")) {
    qputenv("QT_QPA_PLATFORM", "offscreen");  // a picture needs no display
  }
  QApplication application(argc, argv);
  QGuiApplication::setDesktopFileName(QStringLiteral("tandem"));
  return runWindow(application, options);
}
