# SPDX-License-Identifier: Apache-2.0
# The kinds of thing this project builds. Each folder's *.c files belong to it: a new file needs no line here.

# Sources of the named folders (not of folders below them).
function(pv_sources out)
    set(found)
    foreach(folder ${ARGN})
        file(GLOB here CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${folder}/*.c)
        list(APPEND found ${here})
    endforeach()
    if(NOT found)
        # An empty piece still has to be a library while it grows.
        set(empty ${PROJECT_BINARY_DIR}/empty.c)
        if(NOT EXISTS ${empty})
            file(WRITE ${empty} "typedef int pv_nothing_here_yet;\n")
        endif()
        set(found ${empty})
    endif()
    set(${out} ${found} PARENT_SCOPE)
endfunction()

# USES entries that are pieces of ours are written without their prefix.
function(pv_use target scope)
    foreach(name ${ARGN})
        if(TARGET pv_${name})
            target_link_libraries(${target} ${scope} pv_${name})
        else()
            target_link_libraries(${target} ${scope} ${name})
        endif()
    endforeach()
endfunction()

# A static library pv_<name>. Files of the project are included from its root ("server/net/router.h").
function(pv_piece name)
    cmake_parse_arguments(arg "" "" "SOURCES;INCLUDES;USES" ${ARGN})
    pv_sources(sources ${arg_SOURCES})
    add_library(pv_${name} STATIC ${sources} $<$<STREQUAL:${name},db>:${PV_QUERIES_C}>)
    target_include_directories(pv_${name} PRIVATE ${PROJECT_SOURCE_DIR})
    foreach(folder ${arg_INCLUDES})
        target_include_directories(pv_${name} PUBLIC ${PROJECT_SOURCE_DIR}/${folder})
    endforeach()
    pv_use(pv_${name} PUBLIC ${arg_USES})
endfunction()

function(pv_program name)
    cmake_parse_arguments(arg "NO_INSTALL" "" "SOURCES;USES" ${ARGN})
    pv_sources(sources ${arg_SOURCES})
    if(sources MATCHES "empty\\.c$")
        return()
    endif()
    add_executable(${name} ${sources})
    target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
    pv_use(${name} PRIVATE ${arg_USES})
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
    if(NOT arg_NO_INSTALL)
        install(TARGETS ${name} DESTINATION ${CMAKE_INSTALL_BINDIR})
    endif()
endfunction()

# One loadable driver: drivers/<name> becomes lib/polyvisor/drivers/<name>.so beside bin/. What it is made of is the piece
# pv_<name>, which its tests link; only the entry table is exported from the module, so that one is compiled into it.
function(pv_driver name)
    pv_piece(${name} SOURCES drivers/${name} USES sdk lib ${ARGN})
    add_library(driver_${name} MODULE ${PROJECT_SOURCE_DIR}/drivers/${name}/driver.c)
    target_include_directories(driver_${name} PRIVATE ${PROJECT_SOURCE_DIR})
    pv_use(driver_${name} PRIVATE ${name})
    set_target_properties(driver_${name} PROPERTIES PREFIX "" OUTPUT_NAME ${name}
        LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib/polyvisor/drivers)
    target_link_options(driver_${name} PRIVATE -Wl,--exclude-libs,ALL)
    install(TARGETS driver_${name} DESTINATION lib/polyvisor/drivers)
endfunction()

# The texts of db/queries/*.sql and db/migrations/*.sql as C: nothing of them is needed at run time.
function(pv_queries)
    set(out ${PROJECT_BINARY_DIR}/queries.c)
    set(all)
    foreach(folder ${ARGN})
        file(GLOB here CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${folder}/*.sql)
        list(APPEND all ${here})
    endforeach()
    list(SORT all)
    add_custom_command(OUTPUT ${out}
        COMMAND ${CMAKE_COMMAND} -DOUT=${out} "-DFILES=${all}"
            -P ${PROJECT_SOURCE_DIR}/cmake/embed_sql.cmake
        DEPENDS ${all} ${PROJECT_SOURCE_DIR}/cmake/embed_sql.cmake VERBATIM)
    set(PV_QUERIES_C ${out} PARENT_SCOPE)
endfunction()
