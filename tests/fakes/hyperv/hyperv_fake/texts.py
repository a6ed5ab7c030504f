# SPDX-License-Identifier: Apache-2.0
"""Localised texts of German and Japanese hosts. What is missing here stays English, as on real hosts."""

_DE = {
    "Hosting Computer System": "Hostcomputersystem", "Microsoft Hosting Computer System": "Microsoft-Hostcomputersystem",
    "Virtual Machine": "Virtueller Computer", "Virtual Machine Settings": "Einstellungen für virtuellen Computer",
    "Active settings for the virtual machine.": "Aktive Einstellungen des virtuellen Computers.",
    "Ethernet Port": "Ethernet-Anschluss", "Network Adapter": "Netzwerkkarte", "Hard Drive": "Festplatte", "DVD Drive": "DVD-Laufwerk",
    "Processor": "Prozessor", "Memory": "Arbeitsspeicher", "SCSI Controller": "SCSI-Controller",
    "IDE Controller": "IDE-Controller", "Shutdown": "Herunterfahren", "Time Synchronization": "Zeitsynchronisierung",
    "Heartbeat": "Takt", "Key-Value Pair Exchange": "Austausch von Schlüsselwertpaaren",
    "Guest Service Interface": "Gastdienstschnittstelle", "Operating normally": "Normaler Betrieb",
    "Access is denied.": "Zugriff verweigert", "The operation failed.": "Fehler beim Vorgang.",
    "The operation cannot be performed while the object is in its current state.":
        "Der Vorgang kann nicht ausgeführt werden, während sich das Objekt im aktuellen Zustand befindet.",
    "The parameter is incorrect. One or more arguments are invalid.": "Falscher Parameter.",
    "The service is running normally": "Der Dienst wird normal ausgeführt",
    "Hyper-V Virtual Machine Management": "Hyper-V-Verwaltung virtueller Computer",
    "Local Fixed Disk": "Lokale Festplatte",
}
_JA = {
    "Hosting Computer System": "ホスト コンピューター システム",
    "Microsoft Hosting Computer System": "Microsoft ホスト コンピューター システム",
    "Virtual Machine": "仮想マシン", "Virtual Machine Settings": "仮想マシンの設定",
    "Active settings for the virtual machine.": "仮想マシンのアクティブな設定です。",
    "Ethernet Port": "イーサネット ポート",
    "Microsoft External Ethernet Port": "Microsoft 外部イーサネット ポート", "Network Adapter": "ネットワーク アダプター", "Hard Drive": "ハード ドライブ", "DVD Drive": "DVD ドライブ",
    "Processor": "プロセッサ", "Memory": "メモリ", "SCSI Controller": "SCSI コントローラー",
    "IDE Controller": "IDE コントローラー", "Shutdown": "シャットダウン", "Time Synchronization": "時刻の同期",
    "Heartbeat": "ハートビート", "Key-Value Pair Exchange": "キー値ペア交換",
    "Guest Service Interface": "ゲスト サービス インターフェイス", "Operating normally": "正常稼働中",
    "Access is denied.": "アクセスが拒否されました。", "The operation failed.": "操作に失敗しました。",
    "The operation cannot be performed while the object is in its current state.":
        "オブジェクトの現在の状態では、この操作を実行できません。",
    "The parameter is incorrect. One or more arguments are invalid.": "パラメーターが間違っています。",
    "The service is running normally": "サービスは正常に実行されています",
    "Hyper-V Virtual Machine Management": "Hyper-V 仮想マシン管理", "Local Fixed Disk": "ローカル固定ディスク",
}
TABLES = {"de-DE": _DE, "ja-JP": _JA}
OS_NAMES = {"de-DE": ("1031", "049", "0407"), "ja-JP": ("1041", "081", "0411"), "en-US": ("1033", "001", "0409")}

# Which properties of which classes are localised; a VM's Description stays English on measured hosts.
_SHOWN = ("Caption", "Description", "ElementName", "StatusDescriptions", "DisplayName")
_cache = {}


def local(language, text):
    table = TABLES.get(language)
    return text if table is None or text is None else table.get(text, text)


def base_of(language, base):
    """A template in a language; English is the template itself."""
    if language not in TABLES:
        return base
    key = (language, id(base))
    found = _cache.get(key)
    if found is None:
        made = dict(base)
        for name in _SHOWN:
            value = made.get(name)
            if isinstance(value, str):
                made[name] = local(language, value)
            elif isinstance(value, list):
                made[name] = [local(language, v) for v in value]
        found = _cache[key] = (base, made)
    return found[1]
