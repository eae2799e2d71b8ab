# `cmake --install build --prefix DIR`: the folder can be moved afterwards; the program finds its experiments and prompts
# beside itself (../share/hnlmrec; the experiments are installed by src/config). Libraries outside the system's folders
# (modules) stay found through the run path.
set_target_properties(hnlmrec PROPERTIES INSTALL_RPATH_USE_LINK_PATH ON)
install(TARGETS hnlmrec RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
set(share ${CMAKE_INSTALL_DATAROOTDIR}/hnlmrec)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/src/semantic/prompts/ DESTINATION ${share}/prompts)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/slurm/ DESTINATION ${share}/slurm USE_SOURCE_PERMISSIONS)
install(FILES ${CMAKE_SOURCE_DIR}/README.md ${CMAKE_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
foreach(page src/config/REFERENCE.md hdf5_schemas/REFERENCE.md)
  get_filename_component(room ${page} DIRECTORY)
  get_filename_component(room ${room} NAME)
  if(EXISTS ${CMAKE_SOURCE_DIR}/${page})
    install(FILES ${CMAKE_SOURCE_DIR}/${page} DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME ${room}-reference.md)
  endif()
endforeach()
