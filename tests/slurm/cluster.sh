#!/bin/bash
# A real Slurm on this host, for tests: munged, slurmctld and two slurmd, all on the loopback interface, all below one
# folder, as root or not.     cluster.sh start DIR | stop DIR     (after start: . DIR/environment)
#
# As root every node gets its own hostname and /dev/shm by namespaces. Without root (or where namespaces are forbidden)
# the nodes share them, and Open MPI's shared-memory files are kept apart by a task prolog.
set -u
PATH=$PATH:/usr/sbin:/sbin
nodes=2 cpus_per_node=4
dir=${2:?usage: cluster.sh start|stop DIR}
export SLURM_CONF=$dir/slurm.conf
# A name server that does not answer must not hold the daemons up: every name they need is in their own hosts file.
export RES_OPTIONS='timeout:1 attempts:1'

# Namespaces may be forbidden (containers), and a bare root folder may lack the file that is covered.
can_isolate() {
    [ "$(id -u)" = 0 ] && unshare --mount --uts sh -c 'mount --bind /etc/hosts /etc/hosts' 2>/dev/null
}
# A daemon where this host's name means 127.0.0.1, whatever /etc/hosts says (Debian's says 127.0.1.1, or an address of the
# network): that is the address it listens on.
with_our_hosts() {
    if can_isolate; then
        unshare --mount sh -c 'mount --bind "$0" /etc/hosts && exec "$@"' "$dir/hosts" "$@"
    else
        "$@"
    fi
}

free_ports() { # the first of $1 ports in a row on which nobody listens
    local port first
    for ((first = 20000 + RANDOM % 20000; ; first += $1)); do
        for ((port = first; port < first + $1; port++)); do
            (: >"/dev/tcp/127.0.0.1/$port") 2>/dev/null && continue 2
        done
        echo "$first" && return
    done
}

write_configuration() {
    local first_port host memory n
    first_port=$(free_ports $((nodes + 1)))
    host=$(hostname -s)
    memory=$(awk '/MemAvailable/ { print int($2 / 1024 / 4) }' /proc/meminfo)
    cat >"$SLURM_CONF" <<CONF
ClusterName=onehost
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$first_port
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$dir/munge.socket,cred_expire=5
SlurmctldPidFile=$dir/slurmctld.pid
SlurmctldLogFile=$dir/slurmctld.log
StateSaveLocation=$dir/state
SlurmdPidFile=$dir/slurmd-%n.pid
SlurmdLogFile=$dir/slurmd-%n.log
SlurmdSpoolDir=$dir/spool-%n
TmpFS=$dir/tmp-%n
ProctrackType=proctrack/linuxproc
JobAcctGatherType=jobacct_gather/none
JobCompType=jobcomp/none
MailProg=/bin/true
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=1,sched_min_interval=0,batch_sched_delay=0,bf_interval=1
SlurmdParameters=config_overrides
MpiDefault=none
KillWait=5
ReturnToService=2
PartitionName=test Nodes=ALL Default=YES MaxTime=30 State=UP
CONF
    echo "NodeName=node[1-$nodes] NodeHostname=$host NodeAddr=127.0.0.1 Port=[$((first_port + 1))-$((first_port + nodes))]" \
        "CPUs=$cpus_per_node RealMemory=$memory State=UNKNOWN" >>"$SLURM_CONF"
    # The default fence of the PMIx plugin is no barrier: now and then MPI_Init fails with it.
    echo 'PMIxCollFence=ring' >"$dir/mpi.conf"
    # Nothing here is confined by control groups, and some containers have none.
    mountpoint -q /sys/fs/cgroup || echo 'CgroupPlugin=cgroup/v1' >"$dir/cgroup.conf"
    { echo "127.0.0.1 localhost $host" && for ((n = 1; n <= nodes; n++)); do echo "127.0.0.1 node$n"; done; } >"$dir/hosts"
    if can_isolate; then
        echo 'CommunicationParameters=NoCtldInAddrAny,NoInAddrAny' >>"$SLURM_CONF"
        return
    fi
    cat >"$dir/task_prolog.sh" <<PROLOG
#!/bin/sh
shm=$dir/tmp-\$SLURMD_NODENAME/shm
mkdir -p "\$shm" && echo "export OMPI_MCA_btl_vader_backing_directory=\$shm"
PROLOG
    chmod 755 "$dir/task_prolog.sh"
    echo "TaskProlog=$dir/task_prolog.sh" >>"$SLURM_CONF"
}

start_node() {
    mkdir -p "$dir/spool-$1" "$dir/tmp-$1"
    if can_isolate; then
        unshare --mount --uts sh -c "hostname $1 && mount --bind '$dir/hosts' /etc/hosts &&
            mount -t tmpfs -o size=512m tmpfs /dev/shm && exec slurmd -N $1"
    else
        slurmd -N "$1"
    fi
}

start() {
    local n end
    mkdir -p "$dir/state" && chmod 755 "$dir" && write_configuration || return 1
    mungekey --create --keyfile="$dir/munge.key" &&
        munged --force --key-file="$dir/munge.key" --socket="$dir/munge.socket" --pid-file="$dir/munged.pid" \
            --log-file="$dir/munged.log" --seed-file="$dir/munge.seed" --num-threads=2 || return 1
    with_our_hosts slurmctld -c || return 1
    for ((n = 1; n <= nodes; n++)); do start_node "node$n" || return 1; done
    {
        echo "export SLURM_CONF='$SLURM_CONF' PATH='$PATH'"
        echo "export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1"
        # Ranks share the host's cores; Debian's UCX component breaks one-sided windows between nodes.
        echo "export OMPI_MCA_mpi_yield_when_idle=1 OMPI_MCA_osc=^ucx OMPI_MCA_btl_vader_single_copy_mechanism=none"
        can_isolate || echo "export OMPI_MCA_btl=self,tcp"
    } >"$dir/environment"
    end=$((SECONDS + 30))
    while [ $SECONDS -lt $end ]; do
        [ "$(timeout 5 sinfo --noheader --Node --format=%T 2>/dev/null | grep -cx idle)" = $nodes ] && return 0
        sleep 0.1
    done
    echo "the nodes did not come up" >&2
    return 1
}

# Ends a daemon by its pid file, if that process is still the daemon that wrote it.
end_daemon() { # pid file, name
    local pid try
    pid=$(cat "$1" 2>/dev/null) && [ -n "$pid" ] || return 0
    for ((try = 0; try < 80; try++)); do
        grep -qx "$2" "/proc/$pid/comm" 2>/dev/null || return 0
        grep -q '^State:.*Z' "/proc/$pid/status" 2>/dev/null && return 0
        if [ $try = 0 ]; then kill "$pid"; elif [ $try = 60 ]; then kill -9 "$pid"; fi
        sleep 0.1
    done
}

stop() {
    local file process try
    [ -e "$SLURM_CONF" ] || return 0
    if timeout 5 scontrol ping >/dev/null 2>&1; then
        timeout 10 scancel --user="$(id -un)" 2>/dev/null
        for ((try = 0; try < 80; try++)); do [ -z "$(timeout 5 squeue --noheader 2>/dev/null)" ] && break; sleep 0.1; done
    fi
    for file in "$dir"/slurmd-*.pid; do end_daemon "$file" slurmd; done
    end_daemon "$dir/slurmctld.pid" slurmctld
    end_daemon "$dir/munged.pid" munged
    # A step's own daemon that hung outlives slurmd; ours is known by its configuration.
    for process in $(grep -lsx slurmstepd /proc/[0-9]*/comm); do
        process=${process%/comm}
        tr '\0' '\n' 2>/dev/null <"$process/environ" | grep -qxF "SLURM_CONF=$SLURM_CONF" && kill -9 "${process#/proc/}"
    done
    return 0
}

case $1 in
start) start || { tail -n 15 "$dir"/*.log >&2; stop; exit 1; } ;;
stop) stop ;;
*) echo "usage: cluster.sh start|stop DIR" >&2 && exit 2 ;;
esac
