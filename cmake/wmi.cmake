# SPDX-License-Identifier: Apache-2.0
# The Hyper-V driver: its tables of WMI classes are made of drivers/wmi/schema/*.json.
find_package(Python3 REQUIRED COMPONENTS Interpreter)

set(wmi_out ${PROJECT_BINARY_DIR}/wmi)
set(wmi_schema ${PROJECT_SOURCE_DIR}/drivers/wmi/schema)
file(GLOB wmi_inputs CONFIGURE_DEPENDS ${wmi_schema}/*.json)
set(wmi_made ${wmi_out}/wmi_classes.inc ${wmi_out}/wmi_classes.c ${wmi_out}/wmi_errors.c)
add_custom_command(OUTPUT ${wmi_made}
    COMMAND ${Python3_EXECUTABLE} ${wmi_schema}/generate.py ${wmi_out}
    DEPENDS ${wmi_inputs} ${wmi_schema}/generate.py VERBATIM)

pv_driver(wmi PkgConfig::krb5_gssapi PkgConfig::krb5 PkgConfig::zlib)
target_sources(pv_wmi PRIVATE ${wmi_made})
target_include_directories(pv_wmi PUBLIC ${wmi_out})
# Its compilation waits for the tables.
add_custom_target(wmi_tables DEPENDS ${wmi_made})
add_dependencies(pv_wmi wmi_tables)
