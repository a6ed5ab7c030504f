# SPDX-License-Identifier: Apache-2.0
# The manual page and completions of `polyvisor`: printed by the program itself from its command table.
set(docs ${PROJECT_BINARY_DIR}/cli)
file(MAKE_DIRECTORY ${docs})
add_custom_command(OUTPUT ${docs}/polyvisor.1 ${docs}/polyvisor.bash ${docs}/_polyvisor ${docs}/polyvisor.fish
    COMMAND polyvisor __man > ${docs}/polyvisor.1
    COMMAND polyvisor completion bash > ${docs}/polyvisor.bash
    COMMAND polyvisor completion zsh > ${docs}/_polyvisor
    COMMAND polyvisor completion fish > ${docs}/polyvisor.fish
    DEPENDS polyvisor VERBATIM)
add_custom_target(polyvisor-docs ALL
    DEPENDS ${docs}/polyvisor.1 ${docs}/polyvisor.bash ${docs}/_polyvisor ${docs}/polyvisor.fish)

install(FILES ${docs}/polyvisor.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${docs}/polyvisor.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions
    RENAME polyvisor)
install(FILES ${docs}/_polyvisor DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
install(FILES ${docs}/polyvisor.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
