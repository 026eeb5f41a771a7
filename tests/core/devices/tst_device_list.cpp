// Devices are listed with a module, without one, and with one that has none; what is missing is explained.
#include <fstream>

#include <QTemporaryDir>
#include <QTest>

#include "core/devices/devices.h"
#include "core/models/memory_plan.h"

using namespace tandem;

class TestDeviceList : public QObject {
  Q_OBJECT
 private slots:
  void listsTheDevicesOfTheModule() {
    const DeviceList list = find_devices(FAKE_MODULE);
    QCOMPARE(list.no_cuda, std::string());
    QCOMPARE(list.present.size(), std::size_t{3});
    QCOMPARE(list.present[0].id, std::string("cpu"));
    QCOMPARE(list.present[0].device, static_cast<Device*>(nullptr));
    QCOMPARE(list.present[2].id, std::string("cuda:1"));
    QCOMPARE(list.present[2].memory_bytes, std::int64_t{1000});
    QCOMPARE(find_device("cpu", list).value(), static_cast<Device*>(nullptr));
    QCOMPARE(find_device("cuda", list).value(), list.present[1].device);
    QCOMPARE(find_device("auto", list).value(), list.present[1].device);
    QCOMPARE(find_device("cuda:1", list).value(), list.present[2].device);
    QCOMPARE(device_name(list.present[2].device, 4), std::string("Card (cuda:1)"));
    QVERIFY(device_name(nullptr, 4).ends_with(", 4 threads"));
    QCOMPARE(available_memory(list.present[1].device), std::int64_t{600});
    QCOMPARE(find_device("cuda:2", list).error().message,
             std::string("there is no device cuda:2, there are cpu, cuda:0, cuda:1"));
    QCOMPARE(find_device("tpu", list).error().code, ErrorCode::NotFound);
  }

  void errorsOfTheModuleAreCaught() {
    const DeviceList list = find_devices(FAKE_MODULE);
    QVERIFY_THROWS_EXCEPTION(DeviceMemoryError, list.present[1].device->allocate(1));
  }

  void saysWhyThereIsNone() {
    const DeviceList refused = find_devices(REFUSING_MODULE);
    QCOMPARE(refused.present.size(), std::size_t{1});
    QCOMPARE(refused.no_cuda, std::string("no driver for 1"));
    QCOMPARE(find_device("auto", refused).value(), static_cast<Device*>(nullptr));
    QCOMPARE(find_device("cuda", refused).error().message,
             std::string("there is no device cuda: no driver for 1"));
    QCOMPARE(find_devices("/nowhere/module.so").no_cuda,
             std::string("this build comes without its CUDA module (libtandem-cuda.so)"));
    QTemporaryDir folder;
    const std::string text = folder.filePath("module.so").toStdString();
    std::ofstream(text) << "text";
    QVERIFY(find_devices(text).no_cuda.starts_with("the CUDA module cannot be opened: "));
  }
};

QTEST_GUILESS_MAIN(TestDeviceList)
#include "tst_device_list.moc"
