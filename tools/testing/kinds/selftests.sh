# SPDX-License-Identifier: GPL-2.0
# Kind selftests: selftests/goheap_NAME.sh in a guest. Keys:
#
#   name=NAME             which of them, as a pattern of the shell; all unless given
#   env="VAR=VALUE ..."   what is said to them

kind_selftests() {
	local kernel=$1 name="*" env="" dir source rest
	keys "${@:2}"
	dir=$(built "$kernel") || { fail "the build"; return; }
	source=$("$TOP/tools/guest/kernel.sh" source)
	# The kernel's messages would cut the scripts' lines in two, so they come last.
	new_guest <<-END
		export MODULES=/modules $env
		dmesg -n 1
		rc=0
		for t in /selftests/goheap_$name.sh; do
			sh \$t || rc=1
		done
		echo "KERNEL-LOG"
		dmesg
		exit \$rc
	END
	make -s -C "$TOP/selftests" "KSRC=$source" "INSTALL_PATH=$tree/selftests" install >/dev/null
	mkdir "$tree/modules"
	cp "$dir"/goheap.ko "$dir"/samples/*.ko "$dir"/selftests/modules/*.ko "$tree/modules/"
	guest "$kernel" "${rest[@]}"
	set -- "$tree"/selftests/goheap_$name.sh
	guest_verdict "$kernel" "$taint" --documents $#
}
